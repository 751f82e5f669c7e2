use super::*;

#[test]
fn pages_about_peers_need_root() {
    let public = RoutedPages::ALL
        .iter()
        .filter(|(_, _, needs)| *needs == Access::Public);
    let public: Vec<_> = public.map(|(path, _, _)| *path).collect();
    assert_eq!(public, ["/healthz", "/readyz", "/metrics"]);
}
