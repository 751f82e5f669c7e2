use super::*;

#[test]
fn requested_address_must_be_in_a_subnet_and_usable() {
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let subnets = [net("10.9.1.0/24"), net("10.9.7.0/24")];
    let exclude = [net("10.9.7.16/28"), net("10.9.1.9/32")];
    let request = AddressRequest {
        pools: &[],
        exclude: &exclude,
        fixed: &[],
        cool_down: Duration::ZERO,
        max_cooling_percent: None,
        now: Duration::ZERO,
        kernel_pods: &KernelPods::new(&|| Ok(Vec::new())),
    };
    for (address, expected) in [
        ("10.9.1.2", Ok(subnets[0])),
        ("10.9.7.254", Ok(subnets[1])),
        ("10.9.2.2", Err(Unavailable::NotInSubnet(subnets.to_vec()))),
        ("fd00::2", Err(Unavailable::NotInSubnet(subnets.to_vec()))),
        ("10.9.1.0", Err(Unavailable::Reserved(subnets[0]))),
        ("10.9.1.1", Err(Unavailable::Reserved(subnets[0]))),
        ("10.9.7.255", Err(Unavailable::Reserved(subnets[1]))),
        ("10.9.1.9", Err(Unavailable::Excluded(exclude[1]))),
        ("10.9.7.31", Err(Unavailable::Excluded(exclude[0]))),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(request.subnet_of(address, &subnets), expected, "{address}");
    }
}
