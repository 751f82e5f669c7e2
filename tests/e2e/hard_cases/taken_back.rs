//! ADDs that fail because the kernel does.

use lab::Result;

use crate::support::{Case, Disturbed, lab};

#[test]
fn an_add_that_cannot_take_back_what_it_made_keeps_the_addresses_until_del() -> Result {
    let lab = lab()?;
    let case = Case::new(&lab)?;
    let node = case.node;
    let mut routed = 0;
    // From this one on, no message reaches the kernel any more.
    let disturb = |first| format!("sendto:error=ENOBUFS:when={first}+");
    case.each_add(disturb, |first, error| {
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
fn an_interface_that_the_kernel_does_not_delete_is_taken_out_of_use() -> Result {
    let lab = lab()?;
    let case = Case::new(&lab)?;
    let mut taken_back = 0;
    // The message that fails the ADD, and the one after it: from some point on the deletion.
    let disturb = |first| format!("sendto:error=ENOBUFS:when={first}..{}", first + 1);
    case.each_add(disturb, |first, error| {
        if error.contains("until DEL is called") {
            case.runtime.del(case.pod.target(), None)?;
        } else if error.contains("wiring") {
            taken_back += 1;
        }
        case.is_as_before(&format!("{first}: {error}"))?;
        let links = case.pod.run(&["ip", "-o", "link"])?;
        assert!(!links.contains("eth0"), "{first}: {links}");
        Ok(())
    })?;
    assert!(taken_back > 0, "no ADD failed after the pair was made");
    Ok(())
}

#[test]
fn a_kernel_that_does_not_echo_what_it_made_is_asked_for_it() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let runtime = lab::Runtime::of(node)?;
    let disturb = Disturbed::adds_of(node)?;
    let asks =
        |message: &String| message.contains("RTM_GETLINK") && message.contains("IFLA_IFNAME");

    disturb.not_at_all()?;
    let attached = runtime.add(pod.target())?;
    runtime.del(pod.target(), Some(&attached))?;
    // The next one is not to come across what this one leaves to be destroyed.
    node.traces()?;
    let messages = disturb.messages()?;
    assert!(!messages.iter().any(asks), "{messages:#?}");
    let at = messages.iter().position(|it| it.contains("NLM_F_ECHO"));
    let at = at.expect("ADD wants an echo");
    let (_, length) = messages[at].split_once("nlmsg_len=").unwrap_or_default();
    let length: u32 = length
        .split(',')
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap();

    // The same message but for the flag: `struct nlmsghdr` with NLM_F_REQUEST, NLM_F_ACK,
    // NLM_F_EXCL and NLM_F_CREATE.
    let (kind, flags) = (nix::libc::RTM_NEWLINK, 0x605_u16);
    let header = [
        &length.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &flags.to_ne_bytes(),
    ]
    .concat();
    let header = u64::from_be_bytes(header.try_into().unwrap());
    disturb.by(&format!(
        "sendto:poke_enter=@arg2={header:016x}:when={}",
        at + 1
    ))?;
    let attached = runtime.add(pod.target())?;

    let messages = disturb.messages()?;
    assert!(messages.iter().any(asks), "{messages:#?}");
    runtime.check(pod.target(), &attached)
}
