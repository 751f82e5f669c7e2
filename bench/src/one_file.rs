//! An ADD and a DEL of `flatland-ipam` that claim nothing, with nothing linked in that could: no etcd
//! client, no asynchronous runtime, no TLS. The same ledger, by the same code. Beside the real one it
//! shows what those cost a call that does not use them.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dlmalloc::GlobalDlmalloc;
use ipam::{Allocation, Disk, Ledger, Request, since_boot};
use ipnetwork::IpNetwork;
use registry::Network;
use registry::owned::Owned;
use wire::cni::{Call, Error, IpConfig, Program, Success, code};
use wire::conf::IpamConfig;
use wire::node::{run_dir, state_dir};

/// As in the programs that are measured against it.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

struct WithoutClaims;

fn main() -> ExitCode {
    wire::cni::run("see the source for what this is", &WithoutClaims)
}

impl Program for WithoutClaims {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        let config = IpamConfig::parse(&call.config)?;
        let attachment = call.environment.attachment()?;
        let ledger = Ledger::create(Disk::new(run_dir(&config.network)))?;
        let session = ledger.lock()?;
        let owned = Owned::load(&state_dir(&config.network))?;
        let owned =
            owned.ok_or_else(|| Error::new(code::INVALID_ENVIRONMENT, "no subnet is owned"))?;
        let network = Network::from(&config);
        let of = |pod_cidr| {
            let subnets = owned.subnets.iter().copied();
            let is_of = |subnet: &_| network.pod_cidr_of(subnet) == Some(pod_cidr);
            subnets.filter(is_of).collect()
        };
        let pools: Vec<Vec<_>> = network.pod_cidrs.iter().copied().map(of).collect();
        let request = Request {
            pools: &pools,
            exclude: &config.exclude,
            fixed: &[],
            cool_down: config.cool_down,
            now: since_boot()?,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let choices = session.hold(attachment, &request, |subnet| Allocation {
            container_id: attachment.container_id().to_owned(),
            interface: attachment.interface().to_owned(),
            subnet,
            since: since.as_ref().map_or(0, Duration::as_secs),
            pod_namespace: None,
            pod_name: None,
            netns: None,
            netns_inode: None,
        })?;
        let ips = choices.iter().map(|choice| IpConfig {
            address: IpNetwork::new(choice.address(), choice.subnet().prefix_len())
                .expect("as long as a subnet's"),
            gateway: None,
            interface: None,
        });
        Ok(Success {
            ips: ips.collect(),
            ..Success::default()
        })
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        let attachment = call.environment.attachment()?;
        let ledger = Ledger::create(Disk::new(run_dir(&call.network)))?;
        ledger.lock()?.free(attachment, since_boot()?)?;
        Ok(())
    }

    fn check(&self, _: &Call) -> Result<(), Error> {
        Err(not_here())
    }

    fn gc(&self, _: &Call) -> Result<(), Error> {
        Err(not_here())
    }

    fn status(&self, _: &Call) -> Result<(), Error> {
        Err(not_here())
    }
}

fn not_here() -> Error {
    Error::new(code::INVALID_ENVIRONMENT, "this adds and deletes only")
}
