use super::*;

#[test]
fn request_has_a_valid_checksum() {
    for (identifier, sequence) in [(0, 0), (0xffff, 0xffff), (0x1234, 7), (0xf7ff, 0)] {
        let packet = Echo {
            v4: true,
            identifier,
        }
        .request(sequence);
        let words = packet
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
        let sum: u32 = words.sum();
        assert_eq!(
            (sum & 0xffff) + (sum >> 16),
            0xffff,
            "{identifier:x} {sequence:x}"
        );
    }
}

#[test]
fn reply_is_distinguished_from_other_packets() {
    let echo = Echo {
        v4: true,
        identifier: 0x1234,
    };
    let header = [0x45].into_iter().chain([0; 19]);
    let reply: Vec<u8> = header.chain([0, 0, 9, 9, 0x12, 0x34, 0, 7]).collect();
    assert!(echo.is_reply(&reply, 7));
    assert!(!echo.is_reply(&reply, 8));
    assert!(!echo.is_reply(&reply[..24], 7));
    assert!(
        !Echo {
            v4: true,
            identifier: 0x1235
        }
        .is_reply(&reply, 7)
    );

    let echo = Echo {
        v4: false,
        identifier: 0x1234,
    };
    assert!(echo.is_reply(&[129, 0, 0, 0, 0x12, 0x34, 0, 7], 7));
    assert!(!echo.is_reply(&[128, 0, 0, 0, 0x12, 0x34, 0, 7], 7));
}
