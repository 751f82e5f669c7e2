use super::*;

#[test]
fn mac_reads_back_as_written() {
    let mac: Mac = "02:0A:00:ff:1b:07".parse().unwrap();

    assert_eq!(mac, Mac([0x02, 0x0a, 0x00, 0xff, 0x1b, 0x07]));
    assert_eq!(mac.to_string(), "02:0a:00:ff:1b:07");
    assert_eq!(format!("{mac:?}"), "Mac(02:0a:00:ff:1b:07)");
}

#[test]
fn invalid_mac_is_refused() {
    for text in [
        "",
        "02",
        "02:0a:00:ff:1b",
        "02:0a:00:ff:1b:07:09",
        "02:0a:00:ff:1b:7",
        "02:0a:00:ff:1b:+7",
        "02-0a-00-ff-1b-07",
        "02:0a:00:ff:1b:0g",
        " 02:0a:00:ff:1b:07",
    ] {
        let error = text.parse::<Mac>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("{text:?} is no hardware")),
            "{error}"
        );
    }
}
