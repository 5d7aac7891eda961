//! Finds work that was put off: such a note belongs in an issue, not in the source.

use std::path::Path;

/// Whether a tracked file is source, and so looked at. Prose is not: it may speak of the marks.
pub(crate) fn is_source(path: &str) -> bool {
    let path = Path::new(path);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) => EXTENSIONS.contains(&extension),
        None => name == "Makefile" || path.ends_with(".ci/run"),
    }
}

/// Returns a line for every mark in a file.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for mark in MARKS {
            if holds(line, mark) {
                problems.push(format!("{path}:{}: {mark}", number + 1));
            }
        }
    }
    problems
}

/// Whether the mark stands in the line as a word of its own.
fn holds(line: &str, mark: &str) -> bool {
    let inside = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(mark).any(|(begin, _)| {
        let before = line[..begin].chars().next_back();
        let after = line[begin + mark.len()..].chars().next();
        // A macro's mark ends in "!", after which anything may stand.
        !before.is_some_and(inside) && (mark.ends_with('!') || !after.is_some_and(inside))
    })
}

const EXTENSIONS: [&str; 6] = ["rs", "py", "pyi", "sh", "toml", "yml"];
// Each is put together here, so that this file passes its own check.
const MARKS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_with_their_line() {
        let text = concat!("fine\n// TO", "DO: later\n    todo", "!()\n");
        assert_eq!(
            check("a.rs", text),
            [concat!("a.rs:2: TO", "DO"), concat!("a.rs:3: todo", "!")]
        );
    }

    #[test]
    fn parts_of_words_are_not_marks() {
        let text = concat!("mktemp x.XX", "XX\nTO", "DOS\nmy_todo", "!()\nno-todo\n");
        assert_eq!(check("a.sh", text), [""; 0]);
    }

    #[test]
    fn source_is_told_from_prose_and_data() {
        assert!(is_source("crates/ndbytes/src/lib.rs"));
        assert!(is_source("Makefile"));
        assert!(is_source(".ci/run"));
        assert!(!is_source("README.md"));
        assert!(!is_source("data/astronaut.npy"));
    }
}
