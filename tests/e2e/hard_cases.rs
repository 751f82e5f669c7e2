//! What goes wrong in practice: calls that overlap, that are cut short, that meet what is not
//! theirs, on nodes without this or that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lab::{DEADLINE, Lab, Node, Pod, Result, Runtime, Target, wait_until};
use serde_json::json;
use wire::cni::{Attachment, Version};
use wire::node::host_interface;

/// A node alone, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    // What the first pod leaves on a node, the next ones leave too.
    lab.node(1).add_pod("first")?.delete()?;
    Ok(lab)
}

/// Puts a script in place of the IPAM plugin, which it reaches as `$REAL`.
fn wrap_ipam(node: &Node, script: &str) -> Result {
    let install = "mv /opt/cni/bin/flatland-ipam /opt/cni/real && cat > /opt/cni/bin/flatland-ipam \
                   && chmod +x /opt/cni/bin/flatland-ipam";
    let script = format!("#!/bin/sh\nREAL=/opt/cni/real\n{script}\n");
    node.run_with(&["sh", "-c", install], script.as_bytes())?
        .success()
        .map(drop)
}

/// A node on which system calls of the plugin are tampered with.
struct Disturbed<'a>(&'a Node);

impl<'a> Disturbed<'a> {
    fn adds_of(node: &'a Node) -> Result<Self> {
        Self::calls_of(node, "ADD")
    }

    fn calls_of(node: &'a Node, verb: &str) -> Result<Self> {
        node.run(&["mv", "/opt/cni/bin/flatland", "/opt/cni/whole"])?;
        let script = format!(
            "#!/bin/sh\n\
             [ $CNI_COMMAND = {verb} ] || exec /opt/cni/whole\n\
             exec strace -qq -o /run/calls $(cat /run/disturb) /opt/cni/whole\n"
        );
        node.write("/opt/cni/bin/flatland", script)?;
        node.run(&["chmod", "+x", "/opt/cni/bin/flatland"])?;
        Ok(Self(node))
    }

    /// What strace's `inject` does to calls from now on: `CALL:HOW:when=NUMBER`.
    fn by(&self, injection: &str) -> Result {
        let (call, _) = injection.split_once(':').unwrap_or_default();
        let words = format!("-e trace={call} -e inject={injection}");
        self.0.write("/run/disturb", words)
    }

    /// Nothing: from now on its messages to the kernel are only listened to.
    fn not_at_all(&self) -> Result {
        self.0.write("/run/disturb", "-e trace=sendto")
    }

    /// The messages to the kernel of the last such call, a line each.
    fn messages(&self) -> Result<Vec<String>> {
        let calls = self.0.read("/run/calls")?;
        let messages = calls.lines().filter(|line| line.starts_with("sendto("));
        Ok(messages.map(str::to_owned).collect())
    }
}

#[test]
fn of_two_adds_at_once_one_wins_and_the_other_harms_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for round in 0..10 {
        let pod = node.sandbox(&format!("p{round}"))?;
        let runtime = Runtime::of(node)?;
        let add = || runtime.add(pod.target());
        let (one, two) = thread::scope(|scope| {
            let (one, two) = (scope.spawn(add), scope.spawn(add));
            (one.join().unwrap(), two.join().unwrap())
        });
        let (won, lost) = match (one, two) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost.to_string()),
            (one, two) => panic!("one of two has to win: {one:?}, {two:?}"),
        };
        assert!(lost.contains("\"code\":100"), "{lost}");
        runtime.check(pod.target(), &won)?;
    }
    Ok(())
}

#[test]
fn an_add_that_is_killed_at_any_system_call_leaves_nothing_that_del_does_not_remove() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let before = node.traces()?;
    let runtime = Runtime::of(node)?;
    let disturb = Disturbed::adds_of(node)?;

    // What reaches beyond the process: netlink, files, pipes, the IPAM plugin.
    for call in ["sendto", "recvfrom", "open", "read", "write", "wait4"] {
        for number in 1.. {
            let cut = format!("{call}:signal=KILL:when={number}");
            disturb.by(&cut)?;
            let attached = runtime.add(pod.target());
            runtime.del(pod.target(), None)?;
            assert_eq!(node.traces()?, before, "cut at {cut}");
            if attached.is_ok() {
                assert!(number > 1, "no call of {call} was cut at");
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn an_add_that_cannot_take_back_what_it_made_keeps_the_addresses_until_del() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let before = node.traces()?;
    let runtime = Runtime::of(node)?;
    let disturb = Disturbed::adds_of(node)?;

    let mut routed = 0;
    for first in 1.. {
        // From this one on, no message reaches the kernel any more.
        disturb.by(&format!("sendto:error=ENOBUFS:when={first}+"))?;
        let Err(error) = runtime.add(pod.target()) else {
            break;
        };
        let links = node.run(&["ip", "-o", "link"])?;
        if links.contains("flat") {
            let advice = "addresses stay reserved until DEL is called";
            assert!(error.to_string().contains(advice), "{first}: {error}");
        }
        let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
        for route in node.routes()? {
            let address = route.split(' ').next().unwrap_or_default();
            assert!(held.contains(address), "{first}: {route}, but only {held}");
            routed += 1;
        }
        runtime.del(pod.target(), None)?;
        assert_eq!(node.traces()?, before, "{first}");
    }
    assert!(routed > 0, "no ADD left a route");
    Ok(())
}

#[test]
fn an_interface_that_the_kernel_does_not_delete_is_taken_out_of_use() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let before = node.traces()?;
    let runtime = Runtime::of(node)?;
    let disturb = Disturbed::adds_of(node)?;

    let mut taken_back = 0;
    for first in 1.. {
        // The message that fails the ADD, and the one after it: from some point on the deletion.
        disturb.by(&format!("sendto:error=ENOBUFS:when={first}..{}", first + 1))?;
        let Err(error) = runtime.add(pod.target()) else {
            break;
        };
        if error.to_string().contains("until DEL is called") {
            runtime.del(pod.target(), None)?;
        } else if error.to_string().contains("wiring") {
            taken_back += 1;
        }
        assert_eq!(node.traces()?, before, "{first}: {error}");
        let links = pod.run(&["ip", "-o", "link"])?;
        assert!(!links.contains("eth0"), "{first}: {links}");
    }
    assert!(taken_back > 0, "no ADD failed after the pair was made");
    Ok(())
}

/// Kills an ADD when it has made the pair and not said yet for whom. Returns the host end's name.
fn cut_before_the_alias(
    node: &Node,
    disturb: &Disturbed<'_>,
    target: Target<'_>,
) -> Result<String> {
    let runtime = Runtime::of(node)?;
    let attachment = Attachment::new(target.container_id, target.interface);
    let attachment = attachment.expect("a sandbox has a valid name");
    let name = host_interface("flatland", &attachment);
    for number in 1.. {
        disturb.by(&format!("sendto:signal=KILL:when={number}"))?;
        assert!(runtime.add(target).is_err(), "{number}: nothing to kill");
        let shown = node.run_with(&["ip", "-o", "link", "show", &name], b"")?;
        if shown.status.success() {
            assert!(!shown.stdout.contains("alias"), "{}", shown.stdout);
            break;
        }
        runtime.del(target, None)?;
    }
    Ok(name)
}

#[test]
fn a_host_end_without_an_alias_is_gcs_to_remove_and_nobody_elses_is() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?.speaking(Version::V1_1_0);
    // Names like ours, of interfaces that are not.
    node.run(&["ip", "link", "add", "flat0123456789a", "type", "veth"])?;
    node.run(&["ip", "link", "add", "flat0123456789b", "type", "bridge"])?;
    let before = node.traces()?;
    let [cut, valid] = [node.sandbox("cut")?, node.sandbox("valid")?];
    let disturb = Disturbed::adds_of(node)?;
    cut_before_the_alias(node, &disturb, cut.target())?;

    runtime.gc(&[])?;

    assert_eq!(node.traces()?, before);
    let name = cut_before_the_alias(node, &disturb, valid.target())?;
    runtime.gc(&[valid.target()])?;
    node.run(&["ip", "link", "show", &name])?;
    runtime.del(valid.target(), None)?;
    assert_eq!(node.traces()?, before);
    Ok(())
}

#[test]
fn gc_leaves_an_add_alone_that_another_runtime_is_in_the_middle_of() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?;
    let mut conflist = lab.conflist();
    conflist["name"] = json!("other");
    let other = Runtime::with(node, conflist)?.speaking(Version::V1_1_0);
    let pod = node.sandbox("a")?;
    let disturb = Disturbed::adds_of(node)?;
    let name = cut_before_the_alias(node, &disturb, pod.target())?;
    let cut = node.read("/run/disturb")?;
    let number = cut.rsplit('=').next().unwrap_or_default();
    runtime.del(pod.target(), None)?;

    disturb.by(&format!("sendto:delay_enter=400000:when={number}"))?;
    let attached = thread::scope(|scope| {
        let add = scope.spawn(|| runtime.add(pod.target()));
        wait_until("host end", DEADLINE, || {
            node.run(&["ip", "link", "show", &name]).is_ok()
        })?;
        other.gc(&[])?;
        add.join().unwrap()
    })?;

    runtime.check(pod.target(), &attached)
}

#[test]
fn the_sweep_removes_what_an_add_left_that_was_cut_short() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["sweepAfter"] = json!(1);
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.sandbox("a")?;
    let disturb = Disturbed::adds_of(node)?;
    let name = cut_before_the_alias(node, &disturb, pod.target())?;
    node.run(&["ip", "link", "add", "flat0123456789a", "type", "veth"])?;

    let gone = || node.run(&["ip", "link", "show", &name]).is_err();
    wait_until("end of the host end", DEADLINE, gone)
        .map_err(|error| error.doing(node.routed_log()))?;

    node.run(&["ip", "link", "show", "flat0123456789a"])?;
    pod.vanish()?;
    wait_until("end of its addresses", DEADLINE, || {
        let held = node.run(&["ls", "/run/flatland/flatland/addresses"]);
        held.is_ok_and(|held| held.is_empty())
    })
}

#[test]
fn a_host_interface_that_is_somebody_elses_is_neither_taken_nor_deleted() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for (kind, alias) in [("veth", "flatland other/eth0"), ("bridge", "")] {
        let mut pod = node.sandbox(kind)?;
        let attachment = Attachment::new(kind, "eth0").unwrap();
        let name = host_interface("flatland", &attachment);
        node.run(&["ip", "link", "add", &name, "type", kind])?;
        node.run(&["ip", "link", "set", &name, "alias", alias])?;
        let before = node.traces()?;

        let refused = pod.attach().unwrap_err().to_string();

        assert!(
            refused.contains("\"code\":100") && refused.contains(&format!("{name} is taken")),
            "{refused}"
        );
        assert!(refused.contains(alias), "{refused}");
        pod.detach()?;
        assert_eq!(node.traces()?, before);
    }
    Ok(())
}

#[test]
fn a_namespace_that_is_deleted_half_way_through_add_leaves_nothing_after_del() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    wrap_ipam(
        node,
        "[ $CNI_COMMAND = ADD ] && ip netns del $CNI_CONTAINERID\nexec $REAL",
    )?;
    let mut pod = node.sandbox("a")?;
    // The plugin has the namespace open and may well succeed; then all goes with it.
    let _ = pod.attach();
    pod.detach()?;
    assert_eq!(node.traces()?, before);
    Ok(())
}

/// A pod whose DEL was cut short after it had put the interface away, in the node's namespace and
/// in the pod's.
fn put_away(node: &Node, name: &str) -> Result {
    let pod = node.add_pod(name)?;
    let host = &pod.result().interfaces[0].name;
    let group = wire::REMOVED_GROUP.to_string();
    node.run(&["ip", "link", "set", host, "down"])?;
    node.run(&["ip", "link", "set", host, "name", name, "group", &group])?;
    Ok(())
}

fn left(node: &Node) -> Result<String> {
    let group = wire::REMOVED_GROUP.to_string();
    node.run(&["ip", "-o", "link", "show", "group", &group])
}

#[test]
fn an_interface_that_was_put_away_and_not_destroyed_goes_with_the_next_call() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?.speaking(Version::V1_1_0);
    let ended = || {
        wait_until("end of removed interfaces", DEADLINE, || {
            left(node).is_ok_and(|left| left.is_empty())
        })
    };

    let other = node.add_pod("other")?;
    put_away(node, "by-del")?;
    assert!(!left(node)?.is_empty());
    other.delete()?;
    ended()?;

    put_away(node, "by-gc")?;
    runtime.gc(&[])?;
    assert_eq!(left(node)?, "");

    // Its end in the pod still has the name that the new one is to have.
    let pod = node.add_pod("by-add")?;
    let host = &pod.result().interfaces[0].name;
    let group = wire::REMOVED_GROUP.to_string();
    node.run(&["ip", "link", "set", host, "down"])?;
    node.run(&["ip", "link", "set", host, "name", "x", "group", &group])?;
    node.run(&["rm", "-r", "/run/flatland/flatland"])?;
    let attached = runtime.add(pod.target())?;
    runtime.check(pod.target(), &attached)?;

    put_away(node, "by-routed")?;
    node.start_routed()?;
    ended()
}

#[test]
fn a_kernel_that_does_not_echo_what_it_made_is_asked_for_it() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let runtime = Runtime::of(node)?;
    let disturb = Disturbed::adds_of(node)?;
    let asks =
        |message: &String| message.contains("RTM_GETLINK") && message.contains("IFLA_IFNAME");

    disturb.not_at_all()?;
    let attached = runtime.add(pod.target())?;
    runtime.del(pod.target(), Some(&attached))?;
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

#[test]
fn after_del_the_pod_does_not_see_the_interface_and_may_have_it_again_at_once() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for round in 0..5 {
        let mut pod = node.sandbox(&format!("p{round}"))?;
        for _ in 0..3 {
            pod.attach()?;
            pod.check()?;
            pod.detach()?;
            let links = pod.run(&["ip", "-o", "link"])?;
            assert!(!links.contains("eth0"), "{links}");
            assert_eq!(pod.run(&["ip", "-4", "route"])?, "");
        }
    }
    Ok(())
}

#[test]
fn three_hundred_pods_come_and_go_sixteen_at_a_time_and_leave_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    let next = AtomicUsize::new(0);
    let work = || -> Result {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= 300 {
                return Ok(());
            }
            node.add_pod(&format!("p{number}"))?.delete()?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap())
    })?;
    assert_eq!(node.traces()?, before);
    Ok(())
}

#[test]
fn without_ipv6_on_the_node_ipv4_works_and_ipv6_is_refused_by_name() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let off = ["all", "default"].map(|which| format!("net.ipv6.conf.{which}.disable_ipv6=1"));
    for setting in &off {
        lab.node(1).run(&["sysctl", "-qw", setting])?;
    }
    lab.node(1).install_conflist()?;
    let mut pod = lab.node(1).sandbox("dual")?;
    let refused = pod.attach().unwrap_err().to_string();
    assert!(refused.contains("IPv6"), "{refused}");
    drop(pod);

    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/16"]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.run(&["rm", "-r", "/run/flatland", "/var/lib/flatland"])?;
    let pod = node.sandbox("v4")?;
    for setting in &off {
        pod.run(&["sysctl", "-qw", setting])?;
    }
    let attached = Runtime::of(node)?.add(pod.target())?;
    Runtime::of(node)?.check(pod.target(), &attached)?;
    let address = attached.result.ips[0].address.ip().to_string();
    node.run(&["ping", "-c1", "-W2", &address])?;
    pod.detach()
}

#[test]
fn an_mtu_too_small_for_ipv6_does_for_ipv4() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["mtu"] = json!(600);
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/16"]);
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.node(1).install_conflist()?;
    let pod = lab.node(1).add_pod("a")?;
    pod.check()
}

#[test]
fn del_of_what_never_was_changes_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    let target = Target {
        container_id: "never",
        interface: "eth0",
        ..Target::default()
    };
    for _ in 0..2 {
        Runtime::of(node)?.del(target, None)?;
    }
    assert_eq!(node.traces()?, before);
    Ok(())
}

#[test]
fn gc_removes_what_it_can_and_keeps_the_addresses_of_what_it_cannot() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    let runtime = Runtime::of(node)?.speaking(Version::V1_1_0);
    let pods = [node.add_pod("a")?, node.add_pod("b")?, node.add_pod("c")?];
    let disturbed = Disturbed::calls_of(node, "GC")?;
    // The first message lists the interfaces; the next two are to remove the first of them.
    disturbed.by("sendto:error=EPERM:when=2..3")?;

    let error = runtime.gc(&[]).expect_err("one cannot be removed");

    let error = error.to_string();
    let named = |pod: &&Pod<'_>| error.contains(&format!("{}/eth0", pod.name()));
    assert_eq!(pods.iter().filter(named).count(), 1, "{error}");
    for pod in &pods {
        let address = pod.addresses()[0].to_string();
        let held = format!("/run/flatland/flatland/addresses/{address}");
        assert_eq!(node.path(held).exists(), named(&pod), "{}", pod.name());
        let routes = node.routes()?;
        let is_routed = routes.iter().any(|route| route.starts_with(&address));
        assert_eq!(is_routed, named(&pod), "{routes:#?}");
    }
    disturbed.not_at_all()?;
    runtime.gc(&[])?;
    assert_eq!(node.traces()?, before);
    Ok(())
}
