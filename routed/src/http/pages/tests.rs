use super::*;

#[test]
fn pages_are_read_only_and_pages_about_peers_need_root() {
    let find = |method: Method, path, access| {
        HttpPage::find(&method, path, access).map_err(|(status, _)| status.as_u16())
    };
    for (method, path, access, expected) in [
        (
            Method::GET,
            "/healthz",
            Access::Public,
            Ok(HttpPage::Health),
        ),
        (
            Method::HEAD,
            "/metrics",
            Access::Public,
            Ok(HttpPage::Metrics),
        ),
        (
            Method::GET,
            "/readyz",
            Access::Root,
            Ok(HttpPage::Readiness),
        ),
        (Method::GET, "/status", Access::Root, Ok(HttpPage::Status)),
        (Method::GET, "/status", Access::Public, Err(404)),
        (Method::POST, "/status", Access::Public, Err(404)),
        (Method::POST, "/healthz", Access::Public, Err(405)),
        (Method::GET, "/", Access::Public, Err(404)),
        (Method::GET, "/healthz/", Access::Public, Err(404)),
    ] {
        let name = format!("{method} {path}");
        assert_eq!(find(method, path, access), expected, "{name}");
    }
    let (_, text) = HttpPage::find(&Method::GET, "/x", Access::Public).unwrap_err();
    assert!(
        text.contains("/healthz") && !text.contains("/nodes"),
        "{text}"
    );
}
