//! The texts in the programs' source that people may come to read.

use std::collections::BTreeSet;
use std::fs;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprMethodCall, File, Ident, ImplItemFn, Item, ItemFn, ItemMod, Lit, LitStr,
    Local, Macro, Meta, Pat,
};

/// The crates that the programs are made of.
pub(crate) const CRATES: [&str; 8] = [
    "wire",
    "kubernetes",
    "registry",
    "daemonkit",
    "ipam",
    "plugin",
    "policy",
    "routed",
];

/// A text, and where it is.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its file, from the root of the repository.
    pub(crate) file: String,
    /// The text, with `…` for what is filled in.
    pub(crate) text: String,
}

/// A file of Rust.
pub(crate) struct SourceFile {
    /// Its path, from the root of the repository.
    pub(crate) path: String,
    pub(crate) syntax: File,
}

impl SourceFile {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let (path, syntax) = (path.to_owned(), syn::parse_file(text).unwrap());
        Self { path, syntax }
    }

    /// The path of its module, in a crate whose root is the file `root`.
    pub(crate) fn module(&self, root: &str) -> Vec<String> {
        let (_, path) = self.path.split_once("src/").unwrap();
        let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let names = path.split('/').filter(|name| *name != root);
        names.map(str::to_owned).collect()
    }
}

/// All texts but those of tests, of advice that is printed with a message, and of the log below
/// `warn`.
pub(crate) fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    for file in CRATES.iter().flat_map(|name| files(name)) {
        let mut reader = Reader {
            file: file.path,
            texts: &mut texts,
        };
        reader.visit_file(&file.syntax);
    }
    texts
}

/// The files of a crate, without those of tests.
pub(crate) fn files(name: &str) -> Vec<SourceFile> {
    let paths = paths(&format!("{name}/src")).into_iter();
    let product = paths.filter(|path| !path.split('/').any(is_of_tests));
    product
        .map(|path| SourceFile::parse(&path, &read(&path)))
        .collect()
}

/// Whether a folder or file of a crate is built for tests alone.
pub(crate) fn is_of_tests(name: &str) -> bool {
    let stem = name.trim_end_matches(".rs");
    stem.ends_with("tests") || matches!(stem, "model" | "reference")
}

/// The files of Rust in a folder, from the root of the repository, in the order of their names.
pub(crate) fn paths(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(crate::file(folder)).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut paths = Vec::new();
    for name in names.collect::<BTreeSet<_>>() {
        let path = format!("{folder}/{name}");
        if crate::file(&path).is_dir() {
            paths.extend(self::paths(&path));
        } else if path.strip_suffix(".rs").is_some() {
            paths.push(path);
        }
    }
    paths
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(crate::file(path)).unwrap()
}

struct Reader<'a> {
    file: String,
    texts: &'a mut Vec<Text>,
}

impl Reader<'_> {
    fn take(&mut self, literal: &str) {
        let (file, text) = (self.file.clone(), shown(literal));
        self.texts.push(Text { file, text });
    }

    /// Whether a function gives the advice that is printed behind a message. That of the packet
    /// filter is a message by itself.
    fn is_advice(&self, function: &Ident) -> bool {
        let is_named_so = function == "advice" || function == "code_and_advice";
        is_named_so && !self.file.starts_with("routed/src/firewall/")
    }

    /// All texts in the arguments of a macro, and in those of the macros therein.
    fn take_all(&mut self, tokens: TokenStream) {
        let mut last = String::new();
        for token in tokens {
            match &token {
                TokenTree::Group(group) if !is_silent(&last) => self.take_all(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string()) {
                        self.take(&text.value());
                    }
                }
                _ => {}
            }
            // The name of a macro is the word before its "!".
            if !matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '!') {
                last = token.to_string();
            }
        }
    }
}

/// What says nothing to people, or too little to look it up: the log below `warn`, what cannot
/// happen, and what is printed as advice beside a message.
fn is_silent(name: &str) -> bool {
    matches!(
        name,
        "info"
            | "debug"
            | "trace"
            | "panic"
            | "unreachable"
            | "assert"
            | "expect"
            | "advise"
            | "advice"
            | "fix"
            | "join"
    )
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) && !self.is_advice(&item.sig.ident) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_test(&item.attrs) && !self.is_advice(&item.sig.ident) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta
            && list.path.is_ident("error")
        {
            self.take_all(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().unwrap().ident.to_string();
        if !is_silent(&name) {
            self.take_all(call.tokens.clone());
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if is_silent(&call.method.to_string()) {
            self.visit_expr(&call.receiver);
        } else {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let name = match &local.pat {
            Pat::Ident(name) => name.ident.to_string(),
            _ => String::new(),
        };
        if !is_silent(&name) {
            visit::visit_local(self, local);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.take(&literal.value());
    }
}

pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(path) => path.is_ident("test"),
        Meta::NameValue(_) => false,
    })
}

/// `{…}` as people see it: filled in with something.
fn shown(literal: &str) -> String {
    let mut shown = String::new();
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('{') {
        shown += before;
        rest = if let Some(after) = after.strip_prefix('{') {
            shown.push('{');
            after
        } else {
            shown.push('…');
            after.split_once('}').map_or("", |(_, after)| after)
        };
    }
    shown + rest
}

/// The error codes that plugins print.
pub(crate) fn codes() -> BTreeSet<u32> {
    let items = syn::parse_file(&read("wire/src/cni/error.rs"))
        .unwrap()
        .items
        .into_iter();
    let code = items.filter_map(|item| match item {
        Item::Mod(module) if module.ident == "code" => Some(module.content?.1),
        _ => None,
    });
    let values = code.flatten().filter_map(|item| match item {
        Item::Const(constant) => match *constant.expr {
            Expr::Lit(literal) => Some(literal.lit),
            _ => None,
        },
        _ => None,
    });
    values
        .map(|value| match value {
            Lit::Int(value) => value.base10_parse().unwrap(),
            _ => panic!("codes are numbers"),
        })
        .collect()
}
