//! GC: free what is held by attachments that the runtime does not know any more.

use std::collections::BTreeSet;

use serde_json::Value;
use wire::cni::{Attachment, Call, Error, code};

use crate::ledger::Ledger;
use crate::plugin::{Plugin, report, since_boot};

const KEY: &str = "cni.dev/valid-attachments";

pub(crate) fn run(plugin: &Plugin, call: &Call) -> Result<(), Error> {
    let valid = valid_attachments(&call.config)?;
    let Some(ledger) = Ledger::existing(plugin.disk(&call.network))? else {
        return Ok(());
    };
    let freed = ledger
        .lock()
        .and_then(|session| session.keep_only(&valid, since_boot()?));
    report(&ledger);
    freed?;
    Ok(())
}

/// The attachments that stay. The list may be empty, but it has to be there and to be understood
/// whole: an attachment that was overlooked would lose its address.
fn valid_attachments(config: &Value) -> Result<BTreeSet<Attachment>, Error> {
    let invalid = |why: String| Error::new(code::INVALID_CONFIG, format!("{KEY} {why}"));
    let list = config
        .get(KEY)
        .ok_or_else(|| invalid("is missing".to_owned()))?;
    let items = list
        .as_array()
        .ok_or_else(|| invalid("is not a list".to_owned()))?;
    let read = |item: &Value| {
        let text = |key| item.get(key).and_then(Value::as_str);
        match (text("containerID"), text("ifname")) {
            (Some(container_id), Some(interface)) => Attachment::new(container_id, interface),
            _ => Err(invalid(format!(
                "holds {item}, which lacks containerID or ifname"
            ))),
        }
    };
    items.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_is_read_whole_or_not_at_all() {
        let a = json!({"containerID": "a", "ifname": "eth0"});
        let b = json!({"containerID": "b", "ifname": "eth0", "other": 1});
        let valid = valid_attachments(&json!({KEY: [a, b]})).unwrap();
        let expected = ["a", "b"].map(|id| Attachment::new(id, "eth0").unwrap());
        assert_eq!(valid, BTreeSet::from(expected));
        assert_eq!(
            valid_attachments(&json!({KEY: []})).unwrap(),
            BTreeSet::new()
        );
        for (config, culprit) in [
            (json!({}), "is missing"),
            (json!({KEY: null}), "is not a list"),
            (
                json!({KEY: [a, {"containerID": "b"}]}),
                "lacks containerID or ifname",
            ),
            (
                json!({KEY: [a, {"containerID": "../b", "ifname": "eth0"}]}),
                "../b",
            ),
        ] {
            let error = valid_attachments(&config).unwrap_err();
            assert!(error.msg.contains(culprit), "{error}");
        }
    }
}
