//! The part of `cargo metadata` that the checks look at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

/// Packages by id: those of the workspace, and every one that they depend on.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) packages: BTreeMap<String, Package>,
}

#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) member: bool,
    /// The folder that holds `Cargo.toml`.
    pub(crate) folder: PathBuf,
    /// The `lib.rs` or `main.rs` of each library and program.
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    /// The id of a package.
    pub(crate) id: String,
    /// Normal or build: what a user of the crate compiles. Otherwise its tests alone do.
    pub(crate) shipped: bool,
}

impl Metadata {
    /// Parses the output of `cargo metadata --format-version 1`, made without `--no-deps`.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let members: BTreeSet<String> = array(&root, "workspace_members")?
            .iter()
            .map(|id| id.as_str().map(str::to_owned).ok_or_else(|| "a member is no string".into()))
            .collect::<Result<_, String>>()?;

        let mut packages = BTreeMap::new();
        for package in array(&root, "packages")? {
            let id = string(package, "id")?;
            let manifest = PathBuf::from(string(package, "manifest_path")?);
            let parsed = Package {
                name: string(package, "name")?,
                member: members.contains(&id),
                folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
                roots: roots(package)?,
                dependencies: Vec::new(),
            };
            packages.insert(id, parsed);
        }

        let resolve = root.get("resolve").ok_or("no \"resolve\" in the metadata")?;
        for node in array(resolve, "nodes")? {
            let id = string(node, "id")?;
            let package = packages.get_mut(&id).ok_or_else(|| format!("{id} is no package"))?;
            for dependency in array(node, "deps")? {
                let mut shipped = false;
                for kind in array(dependency, "dep_kinds")? {
                    shipped |= kind.get("kind").and_then(Value::as_str) != Some("dev");
                }
                package.dependencies.push(Dependency { id: string(dependency, "pkg")?, shipped });
            }
        }
        Ok(Self { packages })
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.member)
    }
}

fn roots(package: &Value) -> Result<Vec<PathBuf>, String> {
    let mut roots = Vec::new();
    for target in array(package, "targets")? {
        // Tests, examples, benchmarks and build scripts ship to no one.
        let ships = array(target, "kind")?.iter().any(|kind| {
            !matches!(kind.as_str(), Some("test" | "example" | "bench" | "custom-build"))
        });
        if ships {
            roots.push(PathBuf::from(string(target, "src_path")?));
        }
    }
    Ok(roots)
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("no array {key:?} in metadata"))
}

fn string(value: &Value, key: &str) -> Result<String, String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("no string {key:?} in metadata"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{
        "workspace_members": ["a#1"],
        "packages": [
            {"id": "a#1", "name": "a", "manifest_path": "/w/a/Cargo.toml", "targets": [
                {"kind": ["lib"], "src_path": "/w/a/src/lib.rs"},
                {"kind": ["test"], "src_path": "/w/a/tests/t.rs"},
                {"kind": ["custom-build"], "src_path": "/w/a/build.rs"}]},
            {"id": "b#1", "name": "b", "manifest_path": "/r/b/Cargo.toml", "targets": []}
        ],
        "resolve": {"nodes": [
            {"id": "a#1", "deps": [
                {"pkg": "b#1", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
            {"id": "b#1", "deps": [
                {"pkg": "a#1", "dep_kinds": [{"kind": "dev"}]}]}
        ]}
    }"#;

    #[test]
    fn members_roots_and_kinds_are_read() {
        let metadata = Metadata::parse(JSON).unwrap();
        let a = &metadata.packages["a#1"];
        assert!(a.member && !metadata.packages["b#1"].member);
        assert_eq!(a.folder, PathBuf::from("/w/a"));
        assert_eq!(a.roots, [PathBuf::from("/w/a/src/lib.rs")]);
        assert!(a.dependencies[0].shipped, "dev and normal is shipped");
        assert!(!metadata.packages["b#1"].dependencies[0].shipped);
    }

    #[test]
    fn metadata_without_the_graph_is_refused() {
        let json = r#"{"workspace_members": [], "packages": [], "resolve": null}"#;
        assert!(Metadata::parse(json).is_err());
    }
}
