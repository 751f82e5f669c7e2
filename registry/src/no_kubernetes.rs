//! In place of the registry of a Kubernetes cluster, in programs that never read it: its client would
//! only make them larger.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wire::conf::{IpamConfig, KubernetesConfig};

use crate::error::Error;
use crate::protocol::{Acquired, Claimant, Goal};
use crate::snapshot::{RegistryEvent, Snapshot};

pub(crate) use NoKubernetesRegistry as KubernetesRegistry;

/// A registry that cannot be read.
#[derive(Debug)]
pub(crate) struct NoKubernetesRegistry;

impl NoKubernetesRegistry {
    pub(crate) fn new(_: &IpamConfig, _: &KubernetesConfig) -> Self {
        Self
    }

    pub(crate) async fn acquire(
        &self,
        _: Claimant<'_>,
        _: Goal<'_>,
        _: Duration,
    ) -> Result<Acquired, Error> {
        Err(not_here())
    }

    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Error> {
        Err(not_here())
    }

    /// Nothing ever comes.
    pub(crate) fn watch_loop(self: Arc<Self>) -> mpsc::Receiver<RegistryEvent> {
        mpsc::channel(1).1
    }

    pub(crate) fn unreachable(&self, _: String) -> Error {
        not_here()
    }
}

fn not_here() -> Error {
    let why = "this program does not read Kubernetes' Nodes".to_owned();
    let advice = "let routed run: it gives the plugins what they need";
    Error::Kubernetes { why, advice }
}
