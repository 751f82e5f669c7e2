//! The etcd records of simulated peers: what a node writes when it joins. Runs beside etcd.

use std::time::Duration;

use etcd_client::{Client, Txn, TxnOp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::route_events::now;

/// The number of peers in one transaction: etcd allows 128 operations by default, and each peer
/// needs three.
const PEERS_PER_TXN: usize = 40;

/// A peer, by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerNumber(pub(crate) u32);

/// When a peer joined: the time before its transaction was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PeerJoin {
    pub(crate) subnet: String,
    /// Nanoseconds of `CLOCK_MONOTONIC`, which all machines of a lab share.
    pub(crate) at: u64,
}

impl PeerNumber {
    /// Its subnet, a /24 outside of the range that the lab's real nodes use.
    pub(crate) fn subnet(self) -> String {
        let [_, _, high, low] = self.0.to_be_bytes();
        format!("10.{}.{low}.0", 100 + u32::from(high))
    }

    /// Its address on the link.
    pub(crate) fn address(self) -> String {
        let [_, _, high, low] = self.0.to_be_bytes();
        format!("172.17.{high}.{low}")
    }

    /// Its node record and its claim.
    fn puts(self) -> [TxnOp; 2] {
        let (number, subnet) = (self.0, self.subnet());
        let record =
            json!({ "addresses": [self.address()], "machineId": format!("{number:032x}") });
        let claim = json!({ "node": format!("peer{number}") });
        [
            TxnOp::put(
                format!("/flatland/flatland/nodes/peer{number}"),
                record.to_string(),
                None,
            ),
            TxnOp::put(
                format!("/flatland/flatland/subnets/{subnet}-24"),
                claim.to_string(),
                None,
            ),
        ]
    }

    /// Its presence key, without a lease, so that it stays.
    fn presence(self) -> TxnOp {
        let number = self.0;
        let presence = json!({
            "session": format!("{number:016x}"),
            "address": self.address(),
            "version": "0.1.0",
            "since": 1_700_000_000,
        });
        let key = format!("/flatland/flatland/presence/peer{number}");
        TxnOp::put(key, presence.to_string(), None)
    }
}

/// Adds present peers, as many in one transaction as possible.
pub(crate) fn fill(from: u32, to: u32) -> Result<(), String> {
    in_etcd(async |mut client| {
        let numbers: Vec<u32> = (from..to).collect();
        for numbers in numbers.chunks(PEERS_PER_TXN) {
            let peers = numbers.iter().map(|number| PeerNumber(*number));
            let puts: Vec<TxnOp> = peers
                .flat_map(|peer| peer.puts().into_iter().chain([peer.presence()]))
                .collect();
            client.txn(Txn::new().and_then(puts)).await.map_err(words)?;
        }
        Ok(())
    })
}

/// Adds peers, each in a separate transaction, one every `pace`.
pub(crate) fn join(from: u32, to: u32, pace: Duration) -> Result<Vec<PeerJoin>, String> {
    in_etcd(async |client| {
        let (start, mut joining) = (Instant::now(), JoinSet::new());
        for number in from..to {
            sleep_until(start + pace * (number - from)).await;
            let (mut client, peer) = (client.clone(), PeerNumber(number));
            joining.spawn(async move {
                let at = now();
                let txn = Txn::new().and_then(peer.puts());
                client.txn(txn).await.map_err(words)?;
                Ok(PeerJoin {
                    subnet: peer.subnet(),
                    at,
                })
            });
        }
        let outcomes: Vec<Result<PeerJoin, String>> = joining.join_all().await;
        outcomes.into_iter().collect()
    })
}

fn in_etcd<T>(work: impl AsyncFnOnce(Client) -> Result<T, String>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(words)?.block_on(async {
        let client = Client::connect(["http://127.0.0.1:2379"], None).await;
        work(client.map_err(words)?).await
    })
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn words(error: impl ToString) -> String {
    error.to_string()
}
