//! Who reaches whom, and from which address: a server that tells each client how it saw it, and a
//! client that asks many of them at once. And how fast bytes get from one to the other.

mod ask;
mod icmp;
mod serve;
mod transfer;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use ask::ask;
pub use serve::serve;
pub use transfer::{Direction, serve_transfers, transfer};

/// The TCP and UDP port that places answer on.
pub const PORT: u16 = 7070;

/// What [`serve`] writes to standard output once it listens.
pub const LISTENING: &str = "listening";

/// How long to wait for an answer, in milliseconds: a hundred times what a busy machine takes, and
/// short enough that a test of what must not work stays quick.
pub const LIMIT_MS: u64 = 2000;

/// The shortest of a few round-trip times of an ICMP echo to `target`, in microseconds.
pub fn ping(target: IpAddr, limit: Duration) -> io::Result<u64> {
    icmp::ping(target, 0, limit)
}

/// What to ask.
#[derive(Debug, Clone)]
pub struct Questions {
    /// Whom.
    pub targets: Vec<IpAddr>,
    /// The TCP and UDP port to ask on.
    pub port: u16,
    /// How long to wait for an answer of each kind, in milliseconds.
    pub limit_ms: u64,
    /// Whether to ping them too.
    pub ping: bool,
}

impl Questions {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.limit_ms)
    }
}

/// What one target answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Whom we asked.
    pub target: IpAddr,
    /// The round-trip time of an ICMP echo in microseconds, or why there is none.
    pub ping: Result<u64, String>,
    /// The address that the target's TCP server saw us come from.
    pub tcp: Result<IpAddr, String>,
    /// The address that the target's UDP server saw us come from.
    pub udp: Result<IpAddr, String>,
}

impl Answer {
    /// What is wrong, if not everything answered and saw one of the addresses `own`.
    pub fn complaint(&self, own: &[IpAddr]) -> Option<String> {
        let seen = |kind: &str, seen: &Result<IpAddr, String>| match seen {
            Ok(address) if own.contains(address) => None,
            Ok(address) => Some(format!("{kind} arrives from {address}")),
            Err(why) => Some(format!("{kind}: {why}")),
        };
        let ping = self.ping.as_ref().err().map(|why| format!("ping: {why}"));
        let all = [ping, seen("TCP", &self.tcp), seen("UDP", &self.udp)];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| format!("{}: {}", self.target, all.join(", ")))
    }

    /// Whether anything came back.
    pub fn is_sign_of_life(&self) -> bool {
        self.ping.is_ok() || self.tcp.is_ok() || self.udp.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
    use std::thread;
    use std::time::Instant;

    use nix::sched::{CloneFlags, unshare};
    use wire::netlink::{LinkChange, Request, Socket};
    use wire::sysctl;

    use super::*;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Runs `test` in a fresh network namespace with nothing but loopback.
    fn alone<T: Send>(test: impl FnOnce() -> T + Send) -> T {
        let within = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root, or `unshare -Urn` around the tests");
            let up = Some(true);
            let change = LinkChange {
                up,
                ..LinkChange::default()
            };
            let mut socket = Socket::open().unwrap();
            let lo = Request::ChangeLink { index: 1, change };
            socket.apply_all(&[lo]).unwrap();
            test()
        };
        thread::scope(|scope| scope.spawn(within).join().unwrap())
    }

    #[test]
    fn both_families_answer_with_the_address_that_was_seen() {
        let targets = vec![LOCALHOST, Ipv6Addr::LOCALHOST.into()];
        let answers = alone(|| {
            let server = serve::Listening::on(PORT).unwrap();
            thread::spawn(move || server.answer());
            ask(&Questions {
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
    fn many_that_answer_but_no_ping_are_not_waited_for_one_by_one() {
        const LIMIT_MS: u64 = 300;
        let targets: Vec<IpAddr> = (1..=20)
            .map(|n| Ipv4Addr::new(127, 0, 0, n).into())
            .collect();
        let (answers, took) = alone(|| {
            sysctl::ensure("net/ipv4/icmp_echo_ignore_all", "1").unwrap();
            let server = serve::Listening::on(PORT).unwrap();
            thread::spawn(move || server.answer());
            let start = Instant::now();
            let answers = ask(&Questions {
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
        // One by one they would take 20 limits.
        assert!(took < Duration::from_millis(10 * LIMIT_MS), "{took:?}");
    }

    #[test]
    fn a_server_that_never_stops_talking_does_not_hold_us_up() {
        let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"chatter ").is_ok() {}
        });
        let questions = Questions {
            targets: vec![LOCALHOST],
            port,
            limit_ms: 300,
            ping: true,
        };
        assert!(ask(&questions)[0].tcp.is_err());
    }

    #[test]
    fn an_address_that_is_not_ones_own_is_a_complaint() {
        let [own, other] = ["10.0.0.1", "192.168.1.1"].map(|a| a.parse::<IpAddr>().unwrap());
        let answer = Answer {
            target: LOCALHOST,
            ping: Ok(80),
            tcp: Ok(own),
            udp: Ok(own),
        };
        assert_eq!(answer.complaint(&[own]), None);
        let translated = Answer {
            tcp: Ok(other),
            ..answer.clone()
        };
        let complaint = translated.complaint(&[own]).unwrap();
        assert!(
            complaint.contains("TCP arrives from 192.168.1.1"),
            "{complaint}"
        );
        let lost = Answer {
            ping: Err("no answer".into()),
            ..answer
        };
        assert!(lost.complaint(&[own]).unwrap().contains("ping: no answer"));
    }
}
