use super::*;

#[test]
fn last_value_of_a_repeated_key_counts() {
    let args = Args::parse("IgnoreUnknown=1;K8S_POD_NAME=web-0;X=a=b;;E=;X=c=d;").unwrap();
    assert_eq!(args.get("K8S_POD_NAME"), Some("web-0"));
    assert_eq!(args.get("X"), Some("c=d"));
    assert_eq!(args.get("E"), Some(""));
    assert_eq!(args.get("x"), None);
    assert_eq!(Args::parse("").unwrap(), Args::default());
}

#[test]
fn part_without_equals_sign_is_refused_and_named() {
    for text in ["A=1;lonely", "=value"] {
        let error = Args::parse(text).unwrap_err();
        assert_eq!(error.code, 4);
        assert!(error.msg.contains("CNI_ARGS"), "{error}");
    }
}
