//! What a shell proposes after the names of the daemons.

use std::process::Command;

use crate::file;

/// What bash would propose for the last of `words`.
fn proposed(words: &[&str]) -> Vec<String> {
    const SCRIPT: &str = r#"
        source "$1"
        shift
        function=$(complete -p "$1" | sed 's/.* -F \([^ ]*\) .*/\1/')
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMP_LINE="$*"
        COMP_POINT=${#COMP_LINE}
        # As bash calls it: the command, the word, and the one before.
        "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let bash = Command::new("bash")
        .args(["--norc", "-euo", "pipefail", "-c", SCRIPT, "bash"])
        .arg(file(&format!("conf/completions/{}.bash", words[0])))
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
    let policy = "flatland-policy";
    assert_eq!(proposed(&[policy, "expl"]), ["explain"]);
    assert_eq!(proposed(&[policy, "run", "--conf"]), ["--conflist"]);
    assert_eq!(proposed(&[policy, "status", "--output", "j"]), ["json"]);
}
