//! An in-memory kernel for tests.

use std::cell::RefCell;
use std::rc::Rc;

use ipnet::IpNet;
use wire::netlink::{Error, NetlinkRequest, Route, RouteKind};

use crate::fib::{Errno, plan};
use crate::kernel::{Kernel, NodeLink, Topology};
use crate::rib::connected::tests::prefix_routes;
use crate::rib::guest_gateway::GATEWAY;

/// A handle; clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeKernel {
    state: Rc<RefCell<FakeKernelState>>,
}

#[derive(Debug, Default)]
struct FakeKernelState {
    links: Vec<NodeLink>,
    /// The indexes of links without addresses that are up.
    host_ends: Vec<u32>,
    routes: Vec<Route>,
    /// The number of dumps of our routes.
    dumps: usize,
    /// The number of calls that still fail.
    failures: usize,
}

impl FakeKernel {
    pub(crate) fn set_links(&self, links: &[NodeLink]) {
        let mut state = self.state.borrow_mut();
        state.links = links.to_vec();
        state.flush();
    }

    /// Sets the host interfaces of pods that are up.
    pub(crate) fn set_host_ends(&self, indexes: &[u32]) {
        let mut state = self.state.borrow_mut();
        state.host_ends = indexes.to_vec();
        state.flush();
    }

    pub(crate) fn add_route(&self, route: Route) {
        self.state.borrow_mut().routes.push(route);
    }

    pub(crate) fn remove_route(&self, dst: &str) {
        self.state
            .borrow_mut()
            .routes
            .retain(|route| route.dst.to_string() != dst);
    }

    pub(crate) fn fail(&self, times: usize) {
        self.state.borrow_mut().failures = times;
    }

    pub(crate) fn dumps(&self) -> usize {
        self.state.borrow().dumps
    }

    /// Each route as `10.244.2.0/24 via 192.168.1.2`, sorted; without those to the pods' gateway.
    pub(crate) fn route_texts(&self) -> Vec<String> {
        let state = self.state.borrow();
        let to_pods = state.routes.iter().filter(|route| route.dst != GATEWAY);
        let mut route_texts: Vec<_> = to_pods.map(route_text).collect();
        route_texts.sort();
        route_texts
    }

    /// The routes to the pods' gateway.
    pub(crate) fn to_gateway(&self) -> Vec<Route> {
        let state = self.state.borrow();
        let routes = state.routes.iter().filter(|route| route.dst == GATEWAY);
        routes.cloned().collect()
    }
}

fn route_text(route: &Route) -> String {
    let protocol = if plan::is_ours(route) {
        String::new()
    } else {
        " foreign".to_owned()
    };
    match (route.kind, route.via) {
        (RouteKind::Unreachable, _) => format!("{} unreachable{protocol}", route.dst),
        (_, Some(via)) => format!("{} via {via}{protocol}", route.dst),
        (_, None) => format!("{}{protocol}", route.dst),
    }
}

impl FakeKernelState {
    /// Removes routes over links that are not up.
    fn flush(&mut self) {
        let mut routes = std::mem::take(&mut self.routes);
        routes.retain(|route| route.dev.is_none_or(|dev| self.is_up(dev)));
        self.routes = routes;
    }

    fn is_up(&self, dev: u32) -> bool {
        let mut links = self.links.iter();
        self.host_ends.contains(&dev) || links.any(|link| link.index == dev && link.up)
    }

    fn fail_if_due(&mut self) -> Result<(), Error> {
        if self.failures == 0 {
            return Ok(());
        }
        self.failures -= 1;
        let source = std::io::ErrorKind::ConnectionReset.into();
        Err(Error::Socket {
            doing: "receive",
            source,
        })
    }

    fn apply_one(&mut self, request: &NetlinkRequest) -> Result<(), Errno> {
        let occupied = |new: &Route, routes: &[Route]| {
            routes.iter().position(|route| plan::same_key(route, new))
        };
        match request {
            NetlinkRequest::AddRoute(new) | NetlinkRequest::ReplaceRoute(new) => {
                if new.dev.is_some_and(|dev| !self.is_up(dev)) {
                    return Err(Errno::ENETDOWN);
                }
                match (occupied(new, &self.routes), request) {
                    (Some(_), NetlinkRequest::AddRoute(_)) => return Err(Errno::EEXIST),
                    (Some(index), _) => self.routes[index] = new.clone(),
                    (None, _) => self.routes.push(new.clone()),
                }
            }
            NetlinkRequest::DelRoute(old) => {
                let found = self.routes.iter().position(|route| route == old);
                self.routes.remove(found.ok_or(Errno::ESRCH)?);
            }
            NetlinkRequest::ProbeNeighbour { .. } => {}
            other => panic!("{other} is no request about a route"),
        }
        Ok(())
    }
}

impl Kernel for FakeKernel {
    fn topology(&mut self) -> Result<Topology, Error> {
        let mut state = self.state.borrow_mut();
        state.fail_if_due()?;
        let foreign = state.routes.iter().filter(|route| !plan::is_ours(route));
        let mut routes = prefix_routes(&state.links);
        routes.extend(foreign.cloned());
        Ok(Topology {
            links: state.links.clone(),
            routes,
        })
    }

    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error> {
        let mut state = self.state.borrow_mut();
        state.fail_if_due()?;
        state.dumps += usize::from(protocol.is_some());
        let wanted = |route: &&Route| protocol.is_none_or(|protocol| protocol == route.protocol);
        Ok(state.routes.iter().filter(wanted).cloned().collect())
    }

    fn route_for(&mut self, dst: IpNet) -> Result<Option<Route>, Error> {
        let mut state = self.state.borrow_mut();
        state.fail_if_due()?;
        Ok(state.routes.iter().find(|route| route.dst == dst).cloned())
    }

    fn apply(&mut self, requests: &[NetlinkRequest]) -> Result<Vec<Error>, Error> {
        let mut state = self.state.borrow_mut();
        state.fail_if_due()?;
        let mut failures = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            if let Err(errno) = state.apply_one(request) {
                let request = request.to_string();
                failures.push(Error::Refused {
                    index,
                    request,
                    errno,
                    message: None,
                });
            }
        }
        Ok(failures)
    }
}
