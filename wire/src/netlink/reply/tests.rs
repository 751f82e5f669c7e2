use super::*;

const ECHO_OF_REQUEST: u32 = 40;

fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes.resize(align(bytes.len()), 0);
    bytes
}

/// The kernel's extended acknowledgement: an offset, which is skipped, and the text.
fn extended_text(text: &str) -> Vec<u8> {
    let mut bytes = [8u16.to_ne_bytes(), 2u16.to_ne_bytes(), [0; 2], [0; 2]].concat();
    let length = u16::try_from(4 + text.len() + 1).unwrap();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(EXPLANATION.to_ne_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

/// A status and the refused request: its header and, unless capped, its body.
fn status(status: i32, request_body: usize) -> Vec<u8> {
    let mut bytes = status.to_ne_bytes().to_vec();
    bytes.extend(ECHO_OF_REQUEST.to_ne_bytes());
    bytes.resize(4 + HEADER + request_body, 0);
    bytes
}

/// Reads a message as a reply to the requests 10 to 12.
fn read(bytes: &[u8]) -> String {
    let message = Messages(bytes).next().unwrap().unwrap();
    match Reply::read(&message, 10, 13).unwrap() {
        None => "none".to_owned(),
        Some(Reply {
            index,
            interrupted,
            body,
        }) => {
            let body = match body {
                Body::Done => "done".to_owned(),
                Body::Refused { errno, message } => format!("{errno:?} {message:?}"),
                Body::Payload(payload) => format!("{payload:?}"),
            };
            format!("{index}{} {body}", if interrupted { "!" } else { "" })
        }
    }
}

#[test]
fn replies_are_parsed() {
    const CAPPED: u16 = NLM_F_CAPPED | NLM_F_ACK_TLVS;
    let body = ECHO_OF_REQUEST as usize - HEADER;
    let capped = [status(-17, 0), extended_text("No.")].concat();
    let whole = [status(-17, body), extended_text("No.")].concat();
    let done = [(-2i32).to_ne_bytes().to_vec(), extended_text("Gone.")].concat();
    for (bytes, expected) in [
        (
            message(NLMSG_ERROR, NLM_F_CAPPED, 10, &status(0, 0)),
            "0 done",
        ),
        (
            message(NLMSG_ERROR, NLM_F_CAPPED, 12, &status(-17, 0)),
            "2 EEXIST None",
        ),
        (
            message(NLMSG_ERROR, NLM_F_CAPPED, 10, &status(i32::MIN, 0)),
            "0 UnknownErrno None",
        ),
        (
            message(NLMSG_DONE, 0, 10, &i32::MIN.to_ne_bytes()),
            "0 UnknownErrno None",
        ),
        (
            message(NLMSG_ERROR, NLM_F_CAPPED, 10, &status(17, 0)),
            "0 UnknownErrno None",
        ),
        (
            message(NLMSG_ERROR, CAPPED, 11, &capped),
            r#"1 EEXIST Some("No.")"#,
        ),
        (
            message(NLMSG_ERROR, NLM_F_ACK_TLVS, 11, &whole),
            r#"1 EEXIST Some("No.")"#,
        ),
        (
            message(NLMSG_ERROR, CAPPED, 11, &status(-17, 0)),
            "1 EEXIST None",
        ),
        (message(NLMSG_DONE, 0, 10, &[]), "0 done"),
        (message(NLMSG_DONE, 0, 10, &[0; 4]), "0 done"),
        (
            message(NLMSG_DONE, NLM_F_ACK_TLVS, 10, &done),
            r#"0 ENOENT Some("Gone.")"#,
        ),
        (message(NLMSG_DONE, NLM_F_DUMP_INTR, 10, &[0; 4]), "0! done"),
        (message(24, NLM_F_DUMP_INTR, 10, &[7; 4]), "0! [7, 7, 7, 7]"),
        (message(24, 0, 9, &[7; 4]), "none"),
        (message(24, 0, 13, &[7; 4]), "none"),
        (message(24, 0, 0, &[7; 4]), "none"),
    ] {
        assert_eq!(read(&bytes), expected);
    }
}

#[test]
fn reply_is_matched_when_sequence_numbers_wrap() {
    let bytes = message(NLMSG_DONE, 0, 1, &[]);
    let message = Messages(&bytes).next().unwrap().unwrap();

    let answer = Reply::read(&message, u32::MAX - 1, 2).unwrap().unwrap();

    assert_eq!(answer.index, 3);
}

#[test]
fn datagram_is_split_into_messages() {
    let datagram = [message(24, 0, 1, &[1; 5]), message(24, 0, 2, &[]), vec![]].concat();

    let numbers: Vec<u32> = Messages(&datagram)
        .map(|message| message.unwrap().sequence_number())
        .collect();

    assert_eq!(numbers, [1, 2]);
}

#[test]
fn invalid_message_ends_the_datagram_with_an_error() {
    let whole = message(24, 0, 1, &[1; 8]);
    for broken in [&whole[..20], &whole[..3], &[0; 16]] {
        let datagram = [&whole, broken].concat();
        let read: Vec<bool> = Messages(&datagram).map(|message| message.is_ok()).collect();
        assert_eq!(read, [true, false]);
    }
}
