//! What a shell proposes after `routed`.

use std::process::Command;

use crate::file;

/// What bash would propose for the last of `words`.
fn proposed(words: &[&str]) -> Vec<String> {
    const SCRIPT: &str = r#"
        source "$1"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMP_LINE="$*"
        COMP_POINT=${#COMP_LINE}
        # As bash calls it: the command, the word, and the one before.
        _routed routed "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let bash = Command::new("bash")
        .args(["--norc", "-euo", "pipefail", "-c", SCRIPT, "bash"])
        .arg(file("conf/completions/routed.bash"))
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&bash.stderr);
    assert!(bash.status.success(), "{said}");
    let proposed = String::from_utf8(bash.stdout).unwrap();
    proposed.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_flags() {
    assert_eq!(proposed(&["routed", "expl"]), ["explain"]);
    assert_eq!(proposed(&["routed", "un"]), ["uninstall"]);
    assert_eq!(proposed(&["routed", "run", "--node-n"]), ["--node-name"]);
    assert_eq!(proposed(&["routed", "status", "--output", "j"]), ["json"]);
}
