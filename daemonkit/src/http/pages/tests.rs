use super::*;

/// A program with a page for every client and one for root.
struct TwoPages;

impl HttpPages for TwoPages {
    type Page = char;

    const ALL: &'static [(&'static str, char, Access)] = &[
        ("/healthz", 'h', Access::Public),
        ("/status", 's', Access::Root),
    ];

    async fn page(&self, page: char, _query: &str) -> Result<PageResponse, Stuck> {
        Ok(json(&page))
    }
}

#[test]
fn pages_are_read_only_and_those_of_root_hidden_from_others() {
    let find = |method: Method, path, access| {
        find::<TwoPages>(&method, path, access).map_err(|(status, _)| status.as_u16())
    };
    for (method, path, access, expected) in [
        (Method::GET, "/healthz", Access::Public, Ok('h')),
        (Method::HEAD, "/healthz", Access::Root, Ok('h')),
        (Method::GET, "/status", Access::Root, Ok('s')),
        (Method::GET, "/status", Access::Public, Err(404)),
        (Method::POST, "/status", Access::Public, Err(404)),
        (Method::POST, "/healthz", Access::Public, Err(405)),
        (Method::GET, "/", Access::Public, Err(404)),
        (Method::GET, "/healthz/", Access::Public, Err(404)),
    ] {
        let name = format!("{method} {path}");
        assert_eq!(find(method, path, access), expected, "{name}");
    }
}

#[tokio::test]
async fn unknown_page_is_answered_with_the_readable_ones() {
    let answer = answer(
        &TwoPages,
        &Method::GET,
        &Uri::from_static("/x"),
        Access::Public,
    )
    .await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(paths::<TwoPages>(Access::Public), "/healthz");
    assert_eq!(paths::<TwoPages>(Access::Root), "/healthz, /status");
}
