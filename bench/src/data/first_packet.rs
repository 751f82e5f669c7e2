//! The time to the first packet of a new pod. Runs on a node of the lab.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wire::netns::Netns;

use crate::cni::contender::{Contender, addresses};
use crate::cni::host::{BenchPod, wait_for_deferred_delete};
use crate::figures::Samples;

const PORT: u16 = 7172;
/// How often the node asks until the pod has answered.
const ASK_INTERVAL: Duration = Duration::from_millis(1);
/// The time limit for a pod's first answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The results of one contender.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct First {
    pub(crate) contender: String,
    /// From the end of ADD to the pod's first answer to the node, which asks every millisecond.
    pub(crate) answer: Samples,
}

/// Adds a pod of each contender `rounds` times and waits for its first answer.
pub(crate) fn measure(rounds: usize) -> Result<Vec<First>, String> {
    let contenders = Contender::v4_and_ours();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (index, (contender, times)) in contenders.iter().zip(&mut times).enumerate() {
            // A new number each time, so that the kernel has no neighbour entry of an earlier pod.
            let number = u16::try_from(round).map_err(|error| error.to_string())?;
            let pod = BenchPod::make(&format!("first{index}x"), number)?;
            let elapsed = first(contender, &pod)?;
            pod.unmake()?;
            if round > 0 {
                times.push(elapsed);
            }
        }
        wait_for_deferred_delete()?;
    }
    let rows = contenders
        .iter()
        .zip(times)
        .map(|(contender, times)| First {
            contender: contender.name.clone(),
            answer: times.into_iter().collect(),
        });
    Ok(rows.collect())
}

/// The pod's server listens before the pod is attached: the start of a process would take time.
fn first(contender: &Contender, pod: &BenchPod) -> Result<Duration, String> {
    let netns = Netns::open(&pod.netns()).map_err(|error| error.to_string())?;
    let server = netns
        .run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)))
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    let limit = server.set_read_timeout(Some(Duration::from_millis(20)));
    limit.map_err(|error| error.to_string())?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, &done));
        let outcome = contender.call("ADD", pod, "").and_then(|added| {
            let end = Instant::now();
            let answered = match contender.known_addresses(pod) {
                Some(own) => query(own[0], end),
                None => query(addresses(&added.printed)?[0], end),
            };
            contender.call("DEL", pod, &added.printed)?;
            answered
        });
        done.store(true, Ordering::Relaxed);
        outcome
    })
}

fn echo(server: &UdpSocket, done: &AtomicBool) {
    let mut byte = [0; 1];
    while !done.load(Ordering::Relaxed) {
        if let Ok((_, client)) = server.recv_from(&mut byte) {
            let _ = server.send_to(&byte, client);
        }
    }
}

/// Asks until there is an answer, and returns the time since `begin`.
fn query(pod: IpAddr, begin: Instant) -> Result<Duration, String> {
    let words = |error: std::io::Error| error.to_string();
    let client = UdpSocket::bind("0.0.0.0:0").map_err(words)?;
    client.connect(SocketAddr::new(pod, PORT)).map_err(words)?;
    client.set_read_timeout(Some(ASK_INTERVAL)).map_err(words)?;
    while begin.elapsed() < ANSWER_TIMEOUT {
        match client.send(&[1]).and_then(|_| client.recv(&mut [0; 1])) {
            Ok(_) => return Ok(begin.elapsed()),
            // Refused or unreachable for now.
            Err(error) if error.kind() != ErrorKind::WouldBlock => thread::sleep(ASK_INTERVAL),
            Err(_) => {}
        }
    }
    Err(format!("no answer of {pod} within {ANSWER_TIMEOUT:?}"))
}
