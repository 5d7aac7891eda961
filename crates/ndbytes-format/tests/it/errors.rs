//! `docs/spec/errors.md` lists every code there is.

use std::path::Path;

use ndbytes_format::Code;

#[test]
fn the_table_of_errors_is_complete() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/errors.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut listed: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, kind, meaning, remedy] = cells[..] else { panic!("{line}") };
        assert!(!meaning.is_empty() && !remedy.is_empty(), "{line}");
        listed.push((code.trim_matches('`').to_owned(), kind.to_owned()));
    }
    let codes: Vec<(String, String)> = Code::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), format!("{:?}", code.kind())))
        .collect();
    assert_eq!(listed, codes);
}
