//! Rules on the source files of the crates: no unsafe code but where it belongs, no huge file.

use std::io;
use std::path::{Path, PathBuf};

use crate::metadata::Metadata;

/// One Rust file of one crate.
#[derive(Debug)]
pub(crate) struct Source {
    crate_name: String,
    path: PathBuf,
    /// It is the `lib.rs` or `main.rs`.
    root: bool,
    /// It stands in `crates/`, so its length counts.
    measured: bool,
    text: String,
}

/// Reads every Rust file of the workspace's crates.
pub(crate) fn read(metadata: &Metadata) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for package in metadata.members() {
        let mut paths = Vec::new();
        let folder = package.folder.join("src");
        rust_files(&folder, &mut paths).map_err(|error| format!("{folder:?}: {error}"))?;
        for root in &package.roots {
            if !paths.contains(root) {
                paths.push(root.clone());
            }
        }
        paths.sort();
        let measured = package.folder.parent().is_some_and(|parent| parent.ends_with("crates"));
        for path in paths {
            sources.push(Source {
                crate_name: package.name.clone(),
                root: package.roots.contains(&path),
                measured,
                text: std::fs::read_to_string(&path)
                    .map_err(|error| format!("{path:?}: {error}"))?,
                path,
            });
        }
    }
    Ok(sources)
}

/// Returns a line for every rule that a file breaks.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        let path = short(&source.path);
        if source.root && !UNSAFE.contains(&source.crate_name.as_str()) && !forbids(&source.text) {
            problems.push(format!("{path} lacks #![forbid(unsafe_code)]"));
        }
        let lines = source.text.lines().count();
        if source.measured && lines > MOST_LINES {
            problems.push(format!("{path} has {lines} lines, more than {MOST_LINES}: split it"));
        }
    }
    problems
}

/// Returns a line for every file that grows long.
pub(crate) fn warnings(sources: &[Source]) -> Vec<String> {
    let mut warnings = Vec::new();
    for source in sources.iter().filter(|source| source.measured) {
        let lines = source.text.lines().count();
        if lines > MANY_LINES && lines <= MOST_LINES {
            warnings.push(format!("{} has {lines} lines", short(&source.path)));
        }
    }
    warnings
}

fn forbids(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The path from the folder where the command runs, which is the workspace's root.
fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// The crates that may hold unsafe code: kernels and mapping; Python's C interface.
const UNSAFE: [&str; 2] = ["ndbytes-mem", "ndbytes-py"];
const MANY_LINES: usize = 500;
const MOST_LINES: usize = 700;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(crate_name: &str, root: bool, text: &str) -> Source {
        Source {
            crate_name: crate_name.to_owned(),
            path: PathBuf::from("crates/x/src/lib.rs"),
            root,
            measured: true,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_root_without_the_lint_is_refused_but_where_unsafe_lives() {
        assert_eq!(
            check(&[source("ndbytes", true, "//! #![forbid(unsafe_code)]\n")]),
            ["crates/x/src/lib.rs lacks #![forbid(unsafe_code)]"]
        );
        let good = [
            source("ndbytes", true, "//! x\n#![forbid(unsafe_code)]\n"),
            source("ndbytes", false, ""),
            source("ndbytes-mem", true, ""),
            source("ndbytes-py", true, ""),
        ];
        assert_eq!(check(&good), [""; 0]);
    }

    #[test]
    fn long_files_warn_and_huge_ones_fail() {
        let of = |lines: usize| [source("ndbytes", false, &"x\n".repeat(lines))];
        assert_eq!((check(&of(500)).len(), warnings(&of(500)).len()), (0, 0));
        assert_eq!((check(&of(501)).len(), warnings(&of(501)).len()), (0, 1));
        assert_eq!((check(&of(700)).len(), warnings(&of(700)).len()), (0, 1));
        assert_eq!((check(&of(701)).len(), warnings(&of(701)).len()), (1, 0));
    }
}
