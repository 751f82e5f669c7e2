use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::thread;
use std::time::Instant;

use nix::sched::{CloneFlags, unshare};
use wire::netlink::{LinkChange, NetlinkRequest, NetlinkSocket};
use wire::sysctl;

use super::*;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Runs `test` in a fresh network namespace that has only loopback.
fn in_fresh_netns<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let within = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("root, or `unshare -Urn` around the tests");
        let up = Some(true);
        let change = LinkChange {
            up,
            ..LinkChange::default()
        };
        let mut socket = NetlinkSocket::open().unwrap();
        let lo = NetlinkRequest::ChangeLink { index: 1, change };
        socket.apply_all(&[lo]).unwrap();
        test()
    };
    thread::scope(|scope| scope.spawn(within).join().unwrap())
}

#[test]
fn server_answers_both_families_with_the_source_address() {
    let targets = vec![LOCALHOST, Ipv6Addr::LOCALHOST.into()];
    let answers = in_fresh_netns(|| {
        let server = serve::Listening::on(&[PORT]).unwrap();
        thread::spawn(move || server.answer());
        query(&ProbeRequest {
            targets: targets.clone(),
            port: PORT,
            limit_ms: 5000,
            ping: true,
        })
    });
    for (target, answer) in targets.iter().zip(answers) {
        assert_eq!(answer.target, *target);
        assert_eq!(answer.complaint(&[*target]), None);
    }
}

#[test]
fn targets_without_ping_replies_are_not_awaited_one_by_one() {
    const LIMIT_MS: u64 = 300;
    let targets: Vec<IpAddr> = (1..=20)
        .map(|n| Ipv4Addr::new(127, 0, 0, n).into())
        .collect();
    let (answers, took) = in_fresh_netns(|| {
        sysctl::ensure("net/ipv4/icmp_echo_ignore_all", "1").unwrap();
        let server = serve::Listening::on(&[PORT]).unwrap();
        thread::spawn(move || server.answer());
        let start = Instant::now();
        let answers = query(&ProbeRequest {
            targets,
            port: PORT,
            limit_ms: LIMIT_MS,
            ping: true,
        });
        (answers, start.elapsed())
    });
    for answer in answers {
        assert_eq!(answer.ping, Err("no answer".to_owned()));
        assert!(answer.tcp.is_ok(), "{answer:?}");
    }
    // One by one they would take 20 times the limit.
    assert!(took < Duration::from_millis(10 * LIMIT_MS), "{took:?}");
}

#[test]
fn endless_answer_of_a_server_does_not_block_the_client() {
    let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(b"chatter ").is_ok() {}
    });
    let request = ProbeRequest {
        targets: vec![LOCALHOST],
        port,
        limit_ms: 300,
        ping: true,
    };
    assert!(query(&request)[0].tcp.is_err());
}

#[test]
fn answer_that_saw_another_source_is_a_complaint() {
    let [own, other] = ["10.0.0.1", "192.168.1.1"].map(|a| a.parse::<IpAddr>().unwrap());
    let answer = ProbeAnswer {
        target: LOCALHOST,
        ping: Ok(80),
        tcp: Ok(own),
        udp: Ok(own),
    };
    assert_eq!(answer.complaint(&[own]), None);
    let translated = ProbeAnswer {
        tcp: Ok(other),
        ..answer.clone()
    };
    let complaint = translated.complaint(&[own]).unwrap();
    assert!(
        complaint.contains("TCP arrives from 192.168.1.1"),
        "{complaint}"
    );
    let lost = ProbeAnswer {
        ping: Err("no answer".into()),
        ..answer
    };
    assert!(lost.complaint(&[own]).unwrap().contains("ping: no answer"));
}
