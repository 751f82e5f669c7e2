use super::*;

#[test]
fn error_parses_back_with_and_without_details() {
    let plain = Error::new(code::IO, "cannot read /etc/x");
    for error in [plain.clone(), plain.advise("make it readable")] {
        let json = error.render(CniVersion::V0_4_0);
        assert_eq!(json["cniVersion"], "0.4.0");
        assert_eq!(serde_json::from_value::<Error>(json).unwrap(), error);
    }
}

#[test]
fn error_text_is_message_and_details() {
    let error = Error::new(code::IO, "no route").within("n1");
    assert_eq!(error.to_string(), "n1: no route");
    assert_eq!(error.advise("add one").to_string(), "n1: no route: add one");
}
