//! Names for arrays whose files have one name for all of them.

use std::collections::{HashMap, HashSet};

/// Gives each array a name, no two of them the same: that of its file, and a number where it is not the
/// first. It remembers files, and not arrays, of which a stream may have any number.
#[derive(Default)]
pub(crate) struct Names {
    /// The name of what is sent now.
    base: String,
    /// Names of files that were given as they are.
    given: HashSet<String>,
    /// The next number of each base.
    count: HashMap<String, u64>,
}

impl Names {
    /// What comes from now on is called so.
    pub(crate) fn begin(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    /// The name of the next array.
    pub(crate) fn next(&mut self) -> String {
        loop {
            let was_numbered = self.was_numbered(&self.base);
            let count = self.count.entry(self.base.clone()).or_default();
            let number = std::mem::replace(count, *count + 1);
            match number {
                0 if was_numbered => {}
                0 => {
                    self.given.insert(self.base.clone());
                    return self.base.clone();
                }
                _ => {
                    // Of two bases, numbers never give the same: one would be a number and a name.
                    let name = format!("{}_{number}", self.base);
                    if !self.given.contains(&name) {
                        return name;
                    }
                }
            }
        }
    }

    /// Whether an array of another base has this name.
    fn was_numbered(&self, name: &str) -> bool {
        name.rsplit_once('_').is_some_and(|(base, digits)| {
            let number = digits.parse::<u64>().ok().filter(|number| number.to_string() == digits);
            let count = self.count.get(base).copied().unwrap_or_default();
            number.is_some_and(|number| number > 0 && number < count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bases: &[&str]) -> Vec<String> {
        let mut names = Names::default();
        let next = |base: &&str| {
            names.begin(base);
            names.next()
        };
        bases.iter().map(next).collect()
    }

    #[test]
    fn no_two_are_the_same() {
        assert_eq!(names(&["a", "a", "b", "a"]), ["a", "a_1", "b", "a_2"]);
        assert_eq!(names(&["a_1", "a", "a", "a"]), ["a_1", "a", "a_2", "a_3"]);
        assert_eq!(names(&["a", "a", "a_1", "a_1"]), ["a", "a_1", "a_1_1", "a_1_2"]);
        assert_eq!(names(&["a", "a", "a_01", "a_0"]), ["a", "a_1", "a_01", "a_0"]);
        let bases = ["", "_", "a", "a_1", "a_1_1", "a_2", "a_1_2"];
        for seed in 0..3000_usize {
            let mut at = seed;
            let picked: Vec<_> = (0..12)
                .map(|step| {
                    at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step + 1);
                    bases[(at >> 33) % bases.len()]
                })
                .collect();
            let given = names(&picked);
            let different: HashSet<_> = given.iter().collect();
            assert_eq!(different.len(), given.len(), "{picked:?}: {given:?}");
        }
    }
}
