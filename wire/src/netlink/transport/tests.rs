use std::thread;

use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_core::NLMSG_ERROR;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::*;
use crate::netlink::reply::Body;

/// Runs `test` in a new network namespace.
fn isolated(test: impl FnOnce() + Send + 'static) {
    let isolated = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        test();
    });
    isolated.join().unwrap();
}

fn queue_link(transport: &mut Transport, index: u32) {
    let mut query = LinkMessage::default();
    query.header.index = index;
    transport.begin();
    transport.queue(&RouteNetlinkMessage::GetLink(query), 0);
}

fn outcome(transport: &mut Transport) -> String {
    let mut outcome = String::new();
    let exchanged = transport.exchange(|answer| {
        outcome = match answer.body {
            Body::Payload(_) => "link".to_owned(),
            Body::Refused { errno, .. } => errno.to_string(),
            Body::Done => "done".to_owned(),
        };
        Ok(ControlFlow::Break(()))
    });
    assert!(exchanged.is_ok());
    outcome
}

#[test]
fn replies_to_earlier_exchanges_are_ignored() {
    isolated(|| {
        let mut transport = Transport::open(NETLINK_ROUTE).unwrap();
        for _ in 0..3 {
            queue_link(&mut transport, 4711);
            transport.send().unwrap();
        }

        queue_link(&mut transport, 1);

        assert_eq!(outcome(&mut transport), "link");
    });
}

#[test]
fn messages_of_other_programs_are_ignored() {
    isolated(|| {
        let mut transport = Transport::open(NETLINK_ROUTE).unwrap();
        queue_link(&mut transport, 1);
        assert_eq!(outcome(&mut transport), "link");
        let mut own = sys::SocketAddr::new(0, 0);
        transport.socket.get_address(&mut own).unwrap();
        let refusal = [20u32, u32::from(NLMSG_ERROR), transport.next, 0, u32::MAX]
            .map(u32::to_ne_bytes)
            .concat();

        sys::Socket::new(NETLINK_ROUTE)
            .unwrap()
            .send_to(&refusal, &own, 0)
            .unwrap();
        queue_link(&mut transport, 1);

        assert_eq!(outcome(&mut transport), "link");
    });
}
