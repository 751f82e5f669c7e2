use super::*;
use crate::doctor::Severity;

#[test]
fn missing_conflist_is_unknown() {
    let reason = "no conflist".to_owned();
    examine(Err(&reason)).assert(Severity::Unknown, "no conflist", "--conflist");
    let cidr: IpNet = "10.244.0.0/16".parse().unwrap();
    examine(Ok(&[cidr])).assert(Severity::Ok, "pod CIDRs 10.244.0.0/16", "");
}
