//! `completions`, `man` and help.

use crate::Folder;

const COMMANDS: [&str; 12] = [
    "info",
    "cat",
    "convert",
    "compress",
    "decompress",
    "verify",
    "diff",
    "send",
    "recv",
    "serve",
    "completions",
    "man",
];

#[test]
fn completions_know_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.ok(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    folder.run(&["completions", "tcsh"]).fails(2, "tcsh");
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = Folder::new();
    assert!(folder.ok(&["man"]).contains(".TH ndbytes"));
    folder.ok(&["man", "--out", "man1"]);
    for command in COMMANDS {
        let page = folder.read(&format!("man1/ndbytes-{command}.1"));
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("Example: "), "{command}");
    }
    assert!(folder.path("man1/ndbytes.1").is_file());
}

#[test]
fn help_has_an_example_and_goes_to_stdout() {
    let folder = Folder::new();
    for command in COMMANDS {
        let help = folder.ok(&[command, "--help"]);
        assert!(help.contains(&format!("Example: ndbytes {command}")), "{help}");
    }
    assert!(folder.ok(&["--version"]).starts_with("ndbytes "));
}
