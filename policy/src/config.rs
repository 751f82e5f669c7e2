//! The configuration of the daemon: the flags of `flatland-policy run` and the conflist.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use daemonkit::log::LogFormat;
use tracing::warn;
use wire::cni;
use wire::conf::Conflist;

/// The flags of `flatland-policy run`.
#[derive(Debug, Args)]
pub(crate) struct PolicyRunArgs {
    /// The conflist of the cluster's network, as routed has it.
    #[arg(long, value_name = "FILE")]
    conflist: PathBuf,

    /// The API server, if the pod's environment does not name it.
    ///
    /// By default that of ipam.kubernetes.apiServer in the conflist, or that of the environment.
    #[arg(long, value_name = "HOST:PORT")]
    api_server: Option<String>,

    /// Where /healthz, /readyz and /metrics are served, or none.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "FLATLAND_POLICY_LISTEN",
        default_value = DEFAULT_LISTEN
    )]
    listen: ListenAddress,

    /// The format of the log on standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// Where the HTTP server listens by default.
const DEFAULT_LISTEN: &str = "127.0.0.1:9472";

/// The TCP address of the HTTP server, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ListenAddress(Option<SocketAddr>);

impl FromStr for ListenAddress {
    type Err = String;

    /// Empty text, such as an unset variable of a manifest, means the default.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => DEFAULT_LISTEN.parse(),
            "none" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|address| Self(Some(address)))
                .map_err(|_| {
                    "write an IP address and a port, as in 127.0.0.1:9472 or [::1]:9472, or none"
                        .to_owned()
                }),
        }
    }
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// The network whose pods have policies.
    pub(crate) network: String,
    /// After which time an undecided pod is opened, if ever.
    pub(crate) fail_open_after: Option<Duration>,
    /// `HOST:PORT` of the API server, if it is not that of the environment.
    pub(crate) api_server: Option<String>,
    /// The TCP address of the HTTP server, unless it is switched off.
    pub(crate) listen: Option<SocketAddr>,
}

impl Config {
    /// Reads the conflist.
    pub(crate) fn read(args: PolicyRunArgs) -> Result<Self, cni::Error> {
        let conflist = Conflist::read(&args.conflist)?;
        let policy = &conflist.plugin().policy;
        if policy.is_none() {
            let path = args.conflist.display();
            warn!(
                %path,
                "{path} has no \"policy\": {{}} in the section of flatland: after a boot, pods may \
                 start before their policies hold"
            );
        }
        let kubernetes = conflist.ipam().kubernetes.as_ref();
        let of_conflist = kubernetes.and_then(|it| it.api_server.clone());
        Ok(Self {
            network: conflist.network().to_owned(),
            fail_open_after: policy.as_ref().and_then(|it| it.fail_open_after),
            api_server: args.api_server.or(of_conflist),
            listen: args.listen.0,
        })
    }
}
