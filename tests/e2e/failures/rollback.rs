//! ADDs that fail because the kernel refuses requests.

use lab::Result;

use crate::support::{FaultInjection, UnattachedPod, lab};

#[test]
fn add_that_cannot_roll_back_keeps_addresses_until_del() -> Result {
    let lab = lab()?;
    let case = UnattachedPod::new(&lab)?;
    let node = case.node;
    let mut routed = 0;
    // From this message on, none reaches the kernel.
    let injection = |first| format!("sendto:error=ENOBUFS:when={first}+");
    case.each_add(injection, |first, error| {
        let links = node.run(&["ip", "-o", "link"])?;
        if links.contains("flat") {
            let advice = "addresses stay reserved until DEL is called";
            assert!(error.contains(advice), "{first}: {error}");
        }
        let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
        for route in node.routes()? {
            let address = route.split(' ').next().unwrap_or_default();
            assert!(held.contains(address), "{first}: {route}, but only {held}");
            routed += 1;
        }
        case.runtime.del(case.pod.target(), None)?;
        case.is_as_before(first)
    })?;
    assert!(routed > 0, "no ADD left a route");
    Ok(())
}

#[test]
fn interface_that_cannot_be_deleted_is_taken_out_of_use() -> Result {
    let lab = lab()?;
    let case = UnattachedPod::new(&lab)?;
    let mut rolled_back = 0;
    // The message that fails the ADD, and the one after it: in later rounds that one is the
    // deletion.
    let injection = |first| format!("sendto:error=ENOBUFS:when={first}..{}", first + 1);
    case.each_add(injection, |first, error| {
        if error.contains("until DEL is called") {
            case.runtime.del(case.pod.target(), None)?;
        } else if error.contains("wiring") {
            rolled_back += 1;
        }
        case.is_as_before(&format!("{first}: {error}"))?;
        let links = case.pod.run(&["ip", "-o", "link"])?;
        assert!(!links.contains("eth0"), "{first}: {links}");
        Ok(())
    })?;
    assert!(rolled_back > 0, "no ADD failed after the pair was made");
    Ok(())
}

#[test]
fn link_without_an_echo_from_the_kernel_is_looked_up() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let runtime = lab::Runtime::of(node)?;
    let faults = FaultInjection::into_adds(node)?;
    let is_get_link =
        |message: &String| message.contains("RTM_GETLINK") && message.contains("IFLA_IFNAME");

    faults.trace_only()?;
    let attached = runtime.add(pod.target())?;
    runtime.del(pod.target(), Some(&attached))?;
    // Wait until the interfaces of this ADD are destroyed, so that the next one does not meet them.
    node.attachment_state()?;
    let messages = faults.messages()?;
    assert!(!messages.iter().any(is_get_link), "{messages:#?}");
    let at = messages.iter().position(|it| it.contains("NLM_F_ECHO"));
    let at = at.expect("ADD wants an echo");
    let (_, length) = messages[at].split_once("nlmsg_len=").unwrap_or_default();
    let length: u32 = length
        .split(',')
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap();

    // The same message without NLM_F_ECHO: `struct nlmsghdr` with NLM_F_REQUEST, NLM_F_ACK,
    // NLM_F_EXCL and NLM_F_CREATE.
    let (kind, flags) = (nix::libc::RTM_NEWLINK, 0x605_u16);
    let header = [
        &length.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &flags.to_ne_bytes(),
    ]
    .concat();
    let header = u64::from_be_bytes(header.try_into().unwrap());
    faults.inject(&format!(
        "sendto:poke_enter=@arg2={header:016x}:when={}",
        at + 1
    ))?;
    let attached = runtime.add(pod.target())?;

    let messages = faults.messages()?;
    assert!(messages.iter().any(is_get_link), "{messages:#?}");
    runtime.check(pod.target(), &attached)
}
