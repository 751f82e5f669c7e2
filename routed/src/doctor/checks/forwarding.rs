//! Check: does the kernel forward packets, for each IP family of the pod CIDRs?

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::setting::Setting;
use crate::text::list;

const CHECK: &str = "forwarding";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let cidrs = context.pod_cidrs();
    let v4 = cidrs.is_empty() || cidrs.iter().any(|cidr| cidr.addr().is_ipv4());
    let v6 = cidrs.iter().any(|cidr| cidr.addr().is_ipv6());
    let mut settings = Vec::new();
    settings.extend(v4.then(|| Setting::read("net/ipv4/ip_forward")));
    settings.extend(v6.then(|| Setting::read("net/ipv6/conf/all/forwarding")));
    vec![examine(&settings)]
}

fn examine(settings: &[Setting]) -> Finding {
    let values: Vec<_> = settings.iter().map(Setting::render).collect();
    let evidence = list(&values);
    let off = settings
        .iter()
        .filter(|setting| setting.value.as_deref() != Ok("1"));
    let commands: Vec<_> = off
        .map(|setting| format!("sysctl -w {}=1", setting.dotted()))
        .collect();
    if commands.is_empty() {
        return Finding::ok(CHECK, evidence);
    }
    Finding::broken(CHECK, evidence).fix(format!(
        "routed turns it on when it starts, if it can write /proc/sys; by hand: {}, and the same in \
         /etc/sysctl.d if something turns it off again",
        commands.join(" && ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn forwarding_that_is_off_or_unreadable_is_broken() {
        let fix = "sysctl -w net.ipv4.ip_forward=1";
        for (value, verdict, evidence, fix) in [
            (Ok("1"), Severity::Ok, "ip_forward = 1", ""),
            (Ok("0"), Severity::Broken, "ip_forward = 0", fix),
            (
                Err("no such setting"),
                Severity::Broken,
                "no such setting",
                fix,
            ),
        ] {
            let setting = Setting {
                name: "net/ipv4/ip_forward".to_owned(),
                value: value.map(str::to_owned).map_err(str::to_owned),
            };
            examine(&[setting]).assert(verdict, evidence, fix);
        }
    }
}
