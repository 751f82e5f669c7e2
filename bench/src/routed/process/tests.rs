use super::*;

#[test]
fn usage_of_own_process_has_cpu_time_and_memory() {
    let own = || Usage::of(std::process::id()).unwrap();
    let before = own();
    assert!(before.resident > 0 && before.peak >= before.resident);
    while own().cpu < before.cpu + 1_000_000 {}
    assert!(Usage::of(u32::MAX).is_err());
}
