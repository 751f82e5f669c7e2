use super::*;

#[test]
fn cluster_is_known_by_the_start_of_its_uid() {
    for (uid, expected) in [
        (
            "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            0x0a1b_2c3d_4e5f_6071,
        ),
        ("", 0),
    ] {
        assert_eq!(cluster_id(uid), expected, "{uid}");
    }
}
