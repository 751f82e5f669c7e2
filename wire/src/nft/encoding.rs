//! Sets, chains and rules as attributes.

use super::numbers::{chain, rule, set};
use super::rule::NftRule;
use super::set::NftSet;
use super::types::{Hook, POLICY, TableId};
use super::user_data;
use crate::netfilter::attributes::{Attributes, ITEM};

/// A set without its elements; `number` is unique within the transaction.
pub(super) fn set_attributes(set: &NftSet, number: u32) -> Attributes {
    let key_type = set.key_type();
    let attributes = Attributes::default()
        .text(set::NAME, &set.name)
        .number(set::FLAGS, set.flags())
        .number(set::KEY_TYPE, key_type.number())
        .number(set::KEY_LENGTH, key_type.length())
        .number(set::ID, number);
    let attributes = if set.has_verdicts() {
        attributes.number(set::DATA_TYPE, set::VERDICTS)
    } else {
        attributes
    };
    let order = key_type
        .is_name()
        .then(|| user_data::of_host_order(set::KEY_ORDER));
    let comment = set.comment.as_deref();
    let comment = comment.map(|text| user_data::of_comment(set::COMMENT, text));
    let data: Vec<u8> = order.into_iter().chain(comment).flatten().collect();
    if data.is_empty() {
        return attributes;
    }
    attributes.bytes(set::USER_DATA, &data)
}

/// A chain without its rules.
pub(super) fn chain_attributes(name: &str, hook: Option<&Hook>) -> Attributes {
    let attributes = Attributes::default().text(chain::NAME, name);
    let Some(hook) = hook else {
        return attributes;
    };
    let place = Attributes::default()
        .number(chain::HOOK_NUMBER, hook.number)
        .number(chain::PRIORITY, hook.priority.cast_unsigned());
    attributes
        .nest(chain::HOOK, &place)
        .number(chain::POLICY, POLICY.code())
        .text(chain::TYPE, &hook.kind)
}

/// What a rule adds to the attributes that say where it is.
pub(super) fn rule_attributes(place: Attributes, rule: &NftRule, table: &TableId) -> Attributes {
    let mut expressions = Attributes::default();
    for expression in rule.expressions(table.family) {
        expressions = expressions.nest(ITEM, &expression.attributes());
    }
    let attributes = place.nest(rule::EXPRESSIONS, &expressions);
    match &rule.comment {
        Some(text) => {
            let data = user_data::of_comment(rule::COMMENT, text);
            attributes.bytes(rule::USER_DATA, &data)
        }
        None => attributes,
    }
}
