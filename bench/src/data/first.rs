//! The first packet of a fresh pod. Runs on a node of the lab.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wire::netns::Netns;

use crate::cni::contender::{Contender, addresses};
use crate::cni::host::{Pod, settle};
use crate::figures::Samples;

const PORT: u16 = 7172;
/// How often the node asks until the pod has answered.
const PACE: Duration = Duration::from_millis(1);
/// A pod that has not answered by then is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// One contender's pods.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct First {
    pub(crate) contender: String,
    /// From the end of ADD to the pod's first answer to the node, which asks every millisecond.
    pub(crate) answer: Samples,
}

/// Adds a pod of each contender `rounds` times and asks it.
pub(crate) fn measure(rounds: usize) -> Result<Vec<First>, String> {
    let contenders = Contender::few();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (index, (contender, times)) in contenders.iter().zip(&mut times).enumerate() {
            // A fresh one each time: what the kernel knows of a pod that was here before does not help.
            let number = u16::try_from(round).map_err(|error| error.to_string())?;
            let pod = Pod::make(&format!("first{index}x"), number)?;
            let elapsed = first(contender, &pod)?;
            pod.unmake()?;
            if round > 0 {
                times.push(elapsed);
            }
        }
        settle()?;
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

/// The pod's server listens before the pod is attached, as the kernel would take its time to start it.
fn first(contender: &Contender, pod: &Pod) -> Result<Duration, String> {
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
                Some(own) => ask(own[0], end),
                None => ask(addresses(&added.printed)?[0], end),
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

/// Asks until there is an answer, and tells how long that took since `begin`.
fn ask(pod: IpAddr, begin: Instant) -> Result<Duration, String> {
    let words = |error: std::io::Error| error.to_string();
    let client = UdpSocket::bind("0.0.0.0:0").map_err(words)?;
    client.connect(SocketAddr::new(pod, PORT)).map_err(words)?;
    client.set_read_timeout(Some(PACE)).map_err(words)?;
    while begin.elapsed() < PATIENCE {
        match client.send(&[1]).and_then(|_| client.recv(&mut [0; 1])) {
            Ok(_) => return Ok(begin.elapsed()),
            // Refused or unreachable for now.
            Err(error) if error.kind() != ErrorKind::WouldBlock => thread::sleep(PACE),
            Err(_) => {}
        }
    }
    Err(format!("no answer of {pod} within {PATIENCE:?}"))
}
