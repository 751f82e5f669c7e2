//! Numbers of attributes and flags (`include/uapi/linux/netfilter/nf_tables.h`).

/// `NFTA_TABLE_NAME`; sets, chains, rules and elements have the same number for their table.
pub(super) const TABLE: u16 = 1;

/// `NFTA_SET_*`, and `NFTNL_UDATA_SET_COMMENT` and `NFTNL_UDATA_SET_KEYBYTEORDER` of libnftnl.
pub(super) mod set {
    pub(in super::super) const NAME: u16 = 2;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const KEY_TYPE: u16 = 4;
    pub(in super::super) const KEY_LENGTH: u16 = 5;
    pub(in super::super) const DATA_TYPE: u16 = 6;
    pub(in super::super) const ID: u16 = 10;
    pub(in super::super) const USER_DATA: u16 = 13;
    pub(in super::super) const COMMENT: u8 = 7;
    pub(in super::super) const KEY_ORDER: u8 = 0;

    /// `NFT_SET_INTERVAL`, `NFT_SET_MAP`.
    pub(in super::super) const INTERVAL: u32 = 4;
    pub(in super::super) const MAP: u32 = 8;

    /// `NFT_DATA_VERDICT`.
    pub(in super::super) const VERDICTS: u32 = 0xffff_ff00;
}

/// `NFTA_SET_ELEM_LIST_*`, `NFTA_SET_ELEM_*`.
pub(super) mod element {
    pub(in super::super) const SET: u16 = 2;
    pub(in super::super) const LIST: u16 = 3;
    pub(in super::super) const KEY: u16 = 1;
    pub(in super::super) const DATA: u16 = 2;
    pub(in super::super) const FLAGS: u16 = 3;

    /// `NFT_SET_ELEM_INTERVAL_END`.
    pub(in super::super) const END: u32 = 1;
}

/// `NFTA_DATA_*`, `NFTA_VERDICT_*`.
pub(super) mod data {
    pub(in super::super) const VALUE: u16 = 1;
    pub(in super::super) const VERDICT: u16 = 2;
    pub(in super::super) const CODE: u16 = 1;
    pub(in super::super) const CHAIN: u16 = 2;
}

/// `NFTA_CHAIN_*`, `NFTA_HOOK_*`.
pub(super) mod chain {
    pub(in super::super) const NAME: u16 = 3;
    pub(in super::super) const HOOK: u16 = 4;
    pub(in super::super) const POLICY: u16 = 5;
    pub(in super::super) const USE: u16 = 6;
    pub(in super::super) const TYPE: u16 = 7;
    pub(in super::super) const HOOK_NUMBER: u16 = 1;
    pub(in super::super) const PRIORITY: u16 = 2;
}

/// `NFTA_RULE_*`, and `NFTNL_UDATA_RULE_COMMENT` of libnftnl.
pub(super) mod rule {
    pub(in super::super) const CHAIN: u16 = 2;
    pub(in super::super) const HANDLE: u16 = 3;
    pub(in super::super) const EXPRESSIONS: u16 = 4;
    pub(in super::super) const POSITION: u16 = 6;
    pub(in super::super) const USER_DATA: u16 = 7;
    pub(in super::super) const COMMENT: u8 = 0;
}

/// `NFTA_EXPR_*`, `NFTA_COUNTER_*`.
pub(super) mod expression {
    pub(in super::super) const NAME: u16 = 1;
    pub(in super::super) const DATA: u16 = 2;
    pub(in super::super) const COUNTER_BYTES: u16 = 1;
    pub(in super::super) const COUNTER_PACKETS: u16 = 2;
}
