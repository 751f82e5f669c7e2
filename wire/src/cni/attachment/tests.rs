use super::*;

#[test]
fn container_id_has_the_alphabet_of_the_spec() {
    let longest = "a".repeat(MAX_NAME);
    for id in ["a", "0", "A-b_c.d", "9f8e", "cri-1.2", &longest] {
        assert_eq!(Attachment::new(id, "eth0").unwrap().container_id(), id);
    }
    let too_long = "a".repeat(MAX_NAME + 1);
    for id in [
        "", "-a", ".", "..", "_a", "a/b", "a b", "a\n", "\u{e4}", "a\u{e4}", &too_long,
    ] {
        let error = Attachment::new(id, "eth0").unwrap_err();
        assert_eq!(error.code, code::INVALID_ENVIRONMENT, "{id}");
        assert!(error.msg.contains(&format!("{id:?}")), "{error}");
    }
}

#[test]
fn invalid_network_name_is_a_configuration_error() {
    assert_eq!(check_network("flatland-1.x"), Ok(()));
    for name in ["", "..", "a/b", "-", "routed.lock", "policy.ready"] {
        let error = check_network(name).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG, "{name}");
    }
}

#[test]
fn interface_name_is_one_that_the_kernel_accepts() {
    for name in [
        "eth0",
        "a",
        "net1.100",
        "...",
        "-",
        "fifteen-bytes-x",
        "\u{e4}",
        "alle",
    ] {
        assert_eq!(Attachment::new("c", name).unwrap().interface(), name);
    }
    // The UTF-8 of U+00E0 ends in 0xa0, which the kernel takes for a space.
    for name in [
        "",
        ".",
        "..",
        "sixteen-bytes-xx",
        "a/b",
        "a:b",
        "a b",
        "a\tb",
        "a\x0b",
        "a\x01",
        "\x1b[2J",
        "a\x7f",
        "a\u{a0}",
        "\u{e0}",
        "eth%d",
        "all",
        "default",
    ] {
        let error = Attachment::new("c", name).unwrap_err();
        assert_eq!(error.code, code::INVALID_ENVIRONMENT, "{name:?}");
    }
}
