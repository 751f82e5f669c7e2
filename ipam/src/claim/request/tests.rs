use super::*;

#[test]
fn arguments_parse_back_to_the_request() {
    let net = |text: &str| text.parse().unwrap();
    let requests = [
        ClaimRequest::Missing,
        ClaimRequest::Confirmation,
        ClaimRequest::Further {
            pod_cidr: net("10.244.0.0/16"),
            seen: vec![net("10.244.3.0/24"), net("10.244.9.0/24")],
        },
        ClaimRequest::Further {
            pod_cidr: net("fd00:7::/56"),
            seen: Vec::new(),
        },
    ];
    for request in requests {
        let within = Duration::from_millis(4321);
        let arguments = request.arguments(within);
        assert_eq!(ClaimRequest::parse(&arguments).unwrap(), (request, within));
    }
}

#[test]
fn invalid_arguments_are_refused_with_code_11() {
    for arguments in [
        "",
        "5000",
        "missing",
        "5000 all",
        "-1 missing",
        "5000 missing 10.244.0.0/16",
        "5000 further",
        "5000 further 10.244.0.0",
        "5000 further 10.244.0.0/16 more",
    ] {
        let arguments: Vec<_> = arguments.split_whitespace().map(str::to_owned).collect();
        let error = ClaimRequest::parse(&arguments).unwrap_err();
        assert_eq!(error.code, code::TRY_AGAIN, "{arguments:?}");
    }
}
