//! Which crate may depend on which: the table of floors in `DESIGN.md`, checked.

use std::collections::BTreeSet;

use crate::metadata::{Metadata, Package};

/// Returns a line for every dependency that the floors forbid.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let mut problems = Vec::new();
    for package in metadata.members() {
        let Some(floor) = floor(&package.name) else {
            problems.push(format!(
                "{} stands on no floor: add it to FLOORS in xtask/src/floors.rs",
                package.name
            ));
            continue;
        };
        problems.extend(check_direct(metadata, package, floor));
        problems.extend(check_reach(metadata, package, floor));
    }
    problems
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    Numbered(u8),
    /// Serves the developers; ships to no one.
    Dev,
}

impl Floor {
    /// Whether a crate here may use one on `other`.
    fn may_use(self, other: Self) -> bool {
        match (self, other) {
            (Self::Numbered(above), Self::Numbered(below)) => below < above,
            (Self::Dev, Self::Numbered(below)) => below < SKIN,
            (_, Self::Dev) => false,
        }
    }
}

fn floor(name: &str) -> Option<Floor> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

/// What the crate itself names. Its tests may use what they like, so that the testkit, which
/// stands on the façade, serves every floor.
fn check_direct(metadata: &Metadata, package: &Package, floor: Floor) -> Vec<String> {
    let mut problems = Vec::new();
    for dependency in package.dependencies.iter().filter(|dependency| dependency.shipped) {
        let Some(used) = metadata.packages.get(&dependency.id) else { continue };
        if package.name == ALONE {
            problems.push(format!("{ALONE} must have no dependency, and uses {}", used.name));
        } else if used.member
            && let Some(below) = self::floor(&used.name)
            && !floor.may_use(below)
        {
            problems.push(format!(
                "{} ({}) must not use {} ({})",
                package.name,
                describe(floor),
                used.name,
                describe(below)
            ));
        }
    }
    problems
}

/// What the crate brings along, however far down.
fn check_reach(metadata: &Metadata, package: &Package, floor: Floor) -> Vec<String> {
    let below_async = matches!(floor, Floor::Numbered(number) if number < ASYNC);
    let mut problems = Vec::new();
    for chain in reach(metadata, package) {
        let Some(name) = chain.last() else { continue };
        if below_async && ASYNC_CRATES.contains(name) {
            problems.push(format!(
                "{} is below floor {ASYNC} and must not bring {name}: {}",
                package.name,
                chain.join(" -> ")
            ));
        }
        if name.starts_with("pyo3") && package.name != PYTHON {
            problems.push(format!(
                "only {PYTHON} may bring {name}, not {}: {}",
                package.name,
                chain.join(" -> ")
            ));
        }
    }
    problems
}

/// Returns, for each package that `from` ships with, one chain of names that leads to it.
fn reach<'a>(metadata: &'a Metadata, from: &'a Package) -> Vec<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut chains = Vec::new();
    let mut open = vec![(from, vec![from.name.as_str()])];
    while let Some((package, chain)) = open.pop() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.shipped) {
            let Some(used) = metadata.packages.get(&dependency.id) else { continue };
            if seen.insert(dependency.id.as_str()) {
                let mut longer = chain.clone();
                longer.push(&used.name);
                chains.push(longer.clone());
                open.push((used, longer));
            }
        }
    }
    chains
}

fn describe(floor: Floor) -> String {
    match floor {
        Floor::Numbered(number) => format!("floor {number}"),
        Floor::Dev => "dev".to_owned(),
    }
}

const FLOORS: [(&str, Floor); 9] = [
    ("ndbytes-format", Floor::Numbered(0)),
    ("ndbytes-mem", Floor::Numbered(1)),
    ("ndbytes-codec", Floor::Numbered(2)),
    ("ndbytes", Floor::Numbered(3)),
    ("ndbytes-net", Floor::Numbered(ASYNC)),
    ("ndbytes-cli", Floor::Numbered(SKIN)),
    ("ndbytes-py", Floor::Numbered(SKIN)),
    ("ndbytes-testkit", Floor::Dev),
    ("xtask", Floor::Dev),
];

/// The crate without dependencies.
const ALONE: &str = "ndbytes-format";
/// The crate that wraps for Python.
const PYTHON: &str = "ndbytes-py";
/// The first floor that may be asynchronous.
const ASYNC: u8 = 4;
/// The floor of the commands and bindings, which nothing uses.
const SKIN: u8 = 5;
const ASYNC_CRATES: [&str; 4] = ["axum", "hyper", "reqwest", "tokio"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    /// Makes metadata of `user -> used` edges; `user => used` is a dev-dependency. Members are
    /// the names that have a floor, and those that start with "ndbytes".
    fn metadata(edges: &str) -> Metadata {
        let mut metadata = Metadata::default();
        for edge in edges.lines().map(str::trim).filter(|edge| !edge.is_empty()) {
            let (user, arrow, used) = match edge.split_whitespace().collect::<Vec<_>>()[..] {
                [user, arrow, used] => (user, arrow, used),
                _ => panic!("{edge}"),
            };
            for name in [user, used] {
                metadata.packages.entry(name.to_owned()).or_insert_with(|| Package {
                    name: name.to_owned(),
                    member: floor(name).is_some() || name.starts_with("ndbytes"),
                    ..Package::default()
                });
            }
            let dependency = Dependency { id: used.to_owned(), shipped: arrow == "->" };
            metadata.packages.get_mut(user).unwrap().dependencies.push(dependency);
        }
        metadata
    }

    fn problems(edges: &str) -> Vec<String> {
        check(&metadata(edges))
    }

    #[test]
    fn downward_is_allowed() {
        let edges = "
            ndbytes-mem -> ndbytes-format
            ndbytes-codec -> ndbytes-format
            ndbytes-codec -> ndbytes-mem
            ndbytes -> ndbytes-codec
            ndbytes -> ndbytes-mem
            ndbytes-net -> ndbytes
            ndbytes-net -> tokio
            ndbytes-cli -> ndbytes-net
            ndbytes-py -> ndbytes
            ndbytes-py -> pyo3
            ndbytes-testkit -> ndbytes-net
            ndbytes-format => ndbytes-testkit
            xtask -> serde_json";
        assert_eq!(problems(edges), [""; 0]);
    }

    #[test]
    fn upward_and_sideways_are_refused() {
        assert_eq!(
            problems("ndbytes-mem -> ndbytes"),
            ["ndbytes-mem (floor 1) must not use ndbytes (floor 3)"]
        );
        assert_eq!(
            problems("ndbytes-mem -> ndbytes-codec"),
            ["ndbytes-mem (floor 1) must not use ndbytes-codec (floor 2)"]
        );
    }

    #[test]
    fn the_testkit_ships_with_nothing_and_uses_no_skin() {
        assert_eq!(
            problems("ndbytes -> ndbytes-testkit"),
            ["ndbytes (floor 3) must not use ndbytes-testkit (dev)"]
        );
        assert_eq!(
            problems("ndbytes-testkit -> ndbytes-cli"),
            ["ndbytes-testkit (dev) must not use ndbytes-cli (floor 5)"]
        );
    }

    #[test]
    fn the_format_crate_stands_alone() {
        assert_eq!(
            problems("ndbytes-format -> libc"),
            ["ndbytes-format must have no dependency, and uses libc"]
        );
        assert_eq!(problems("ndbytes-format => proptest"), [""; 0]);
    }

    #[test]
    fn tokio_below_the_async_floor_is_found_through_others() {
        let edges = "
            ndbytes -> tempfile
            tempfile -> tokio
            tokio -> tempfile";
        assert_eq!(
            problems(edges),
            ["ndbytes is below floor 4 and must not bring tokio: ndbytes -> tempfile -> tokio"]
        );
        assert_eq!(problems("ndbytes => tokio"), [""; 0]);
    }

    #[test]
    fn pyo3_is_for_the_binding_alone() {
        assert_eq!(
            problems("ndbytes-cli -> numpy\nnumpy -> pyo3-ffi"),
            [
                "only ndbytes-py may bring pyo3-ffi, not ndbytes-cli: ndbytes-cli -> numpy -> pyo3-ffi"
            ]
        );
    }

    #[test]
    fn a_new_crate_must_be_given_a_floor() {
        let found = problems("ndbytes-new -> libc");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("ndbytes-new stands on no floor"));
    }
}
