//! Clients that take connections of the HTTP server of `routed`, and probes beside them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use wire::netns::Netns;

/// The time that kubelet gives a probe by default.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// More clients than the server has places, each with one connection at a time.
const CLIENTS: usize = 80;

/// Clients whose requests are answered, which takes the time of the processor, and so of the test.
const BUSY_CLIENTS: usize = 16;

/// How many connections each attack makes at least, and how many probes run beside it.
const MIN_CONNECTIONS: usize = 200;
const PROBES: usize = 20;

/// Between two connections of a client. Without it, the clients use all ports within seconds, and
/// the kernel drops connections to ports that it has not forgotten yet, also those of probes.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

/// What an attacker does with a connection.
type Misuse = fn(&mut TcpStream) -> io::Result<()>;

const PIPELINED: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: n\r\n\r\n";

fn server() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9470))
}

/// Sends requests until the server takes no more, and reads no answer.
fn pipeline(stream: &mut TcpStream) -> io::Result<()> {
    let requests = PIPELINED.repeat(1000);
    loop {
        stream.write_all(&requests)?;
    }
}

/// Waits until the server closes the connection.
fn stay_silent(stream: &mut TcpStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}

fn send_slowly(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ")?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    loop {
        stream.write_all(b"x")?;
        match stream.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Ok(()),
        }
    }
}

fn send_huge_head(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Huge: ")?;
    stream.write_all(&vec![b'x'; 1 << 16])
}

fn close_half(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\n")?;
    stream.shutdown(Shutdown::Write)?;
    stay_silent(stream)
}

/// Reconnects whenever the server closes the connection, until `is_over`.
fn attack(misuse: Misuse, connections: &AtomicUsize, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(server()) else {
            continue;
        };
        connections.fetch_add(1, Ordering::Relaxed);
        // The test must end even if the server closes nothing.
        let _ = stream.set_read_timeout(Some(DEADLINE));
        let _ = stream.set_write_timeout(Some(DEADLINE));
        let _ = misuse(&mut stream);
        thread::sleep(RECONNECT_PAUSE);
    }
}

/// The answer to a request that is sent in one piece; `closes` the sending half after it.
fn request(path: &str, closes: bool) -> io::Result<String> {
    let mut stream = TcpStream::connect(server())?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: n\r\n\r\n")?;
    if closes {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Runs `work` in the network namespace of the node.
fn within<T: Send>(node: &Node, work: impl FnOnce() -> T + Send) -> T {
    let path = PathBuf::from(format!("/proc/{}/ns/net", node.pid()));
    let netns = Netns::open(&path).expect("the node's namespace");
    netns.run(work).expect("the node's namespace")
}

/// Probes during an attack: how long the slowest answers took, beginning with the slowest, and what
/// was not answered.
fn probe_during(clients: usize, misuse: Misuse) -> (Vec<Duration>, Vec<String>) {
    let (connections, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (mut times, mut failures) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| attack(misuse, &connections, &is_over));
        }
        let began = Instant::now();
        let mut probes = 0;
        while probes < PROBES || connections.load(Ordering::Relaxed) < MIN_CONNECTIONS {
            if began.elapsed() > DEADLINE {
                failures.push(format!("only {connections:?} connections, {probes} probes"));
                break;
            }
            probes += 1;
            for path in ["/healthz", "/readyz"] {
                let began = Instant::now();
                let answer = request(path, probes % 2 == 0);
                times.push(began.elapsed());
                match answer {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200") => {}
                    other => failures.push(format!("{path}: {other:?}")),
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    times.sort_by(|one, other| other.cmp(one));
    (times, failures)
}

#[test]
fn probes_are_answered_while_clients_take_all_places() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let status = node.routed_command(&["status"])?;
    assert!(!status.stdout.contains("too many connections"));
    for (name, clients, misuse) in [
        ("pipelining", BUSY_CLIENTS, pipeline as Misuse),
        ("silent", CLIENTS, stay_silent),
        ("slow", CLIENTS, send_slowly),
        ("huge head", BUSY_CLIENTS, send_huge_head),
        ("half closed", BUSY_CLIENTS, close_half),
    ] {
        let (times, failures) = within(node, || probe_during(clients, misuse));
        assert!(failures.is_empty(), "{name}: {failures:#?}");
        // One may be late because other tests take the processors.
        assert!(times[1] < PROBE_TIMEOUT, "{name}: {times:?}");
    }
    let status = node.routed_command(&["status"])?;
    let trouble = "programs at 127.0.0.1 keep too many connections to 127.0.0.1:9470 open";
    assert!(status.stdout.contains(trouble), "{}", status.stdout);
    assert!(status.status.success(), "nothing is wrong with the node");

    // Nothing of it stays behind.
    wait_until("end of all connections", DEADLINE * 2, || {
        let open = ["ss", "-Htn", "state", "established", "sport", "=", ":9470"];
        node.run(&open).is_ok_and(|open| open.is_empty())
    })
}
