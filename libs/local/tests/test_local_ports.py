from hlmonitor.local.ports import free_port


def test_no_port_is_handed_out_twice_before_somebody_can_have_listened_on_it() -> None:
    ports = [free_port() for _ in range(1_000)]
    assert len(set(ports)) == len(ports)
