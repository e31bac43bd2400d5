"""A URL taken apart: what is refused whatever lies there, and what a request to the rest says."""

from __future__ import annotations

import pytest

from app.fetch.targets import Rules, Target, UrlRefused, read_target


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://images.example/a.jpg", "the scheme 'ftp' is not read; allowed are http and https"),
        ("file:///etc/passwd", "the scheme 'file'"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "the scheme 'gopher'"),
        ("javascript:alert(1)", "the scheme 'javascript'"),
        ("//images.example/a.jpg", "the scheme ''"),
        ("https://user:secret@images.example/", "a user name or password"),
        ("https://images.example@169.254.169.254/", "a user name or password"),
        ("https://images.example\\@127.0.0.1/", "a user name or password"),
        ("https://images.example:22/", r"port 22 is not connected to; allowed are \[80, 443\]"),
        ("https://images.example:6379/", "port 6379"),
        ("https://images.example:0/", "port 0"),
        ("https://images.example:99999/", "not a URL|port"),
        ("https:///a.jpg", "the host ''"),
        ("https://", "the host ''"),
        ("http://2130706433/", "the host '2130706433' is neither a name nor an address"),
        ("http://017700000001/", "neither a name nor an address"),
        ("http://0x7f000001/", "neither a name nor an address"),
        ("http://0x7f.0.0.1/", "neither a name nor an address"),
        ("http://0177.0.0.1/", "neither a name nor an address|not a URL"),
        ("http://127.1/", "neither a name nor an address"),
        ("http://127.0.0.0x1/", "neither a name nor an address"),
        ("http://a_b..example/", "neither a name nor an address"),
        ("http://images.example%00.evil.example/", "neither a name nor an address|not a URL"),
        ("http://images.example\r\nHost: x/", "not a URL"),
        ("http://[fe80::1%25eth0]/", "neither a name nor an address|not a URL"),
        ("http://[::1", "not a URL|neither"),
        ("https://images.example/" + "a" * 2048, "the URL has 2071 characters; at most 2048"),
        ("hello", "the scheme ''"),
    ],
)
def test_urls_that_are_not_followed(url: str, reason: str) -> None:
    with pytest.raises(UrlRefused, match=reason):
        read_target(url, Rules())


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        (
            "HTTPS://Images.Example/A b.jpg?x=1#top",
            ("https", "images.example", 443, "/A%20b.jpg?x=1"),
            "images.example",
        ),
        ("http://images.example", ("http", "images.example", 80, "/"), "images.example"),
        ("http://images.example.:443/a", ("http", "images.example", 443, "/a"), "images.example:443"),
        ("https://vögel.example/ä", ("https", "xn--vgel-5qa.example", 443, "/%C3%A4"), "xn--vgel-5qa.example"),
        ("http://8.8.8.8/", ("http", "8.8.8.8", 80, "/"), "8.8.8.8"),
        ("http://[2606:4700::1111]:80/", ("http", "2606:4700::1111", 80, "/"), "[2606:4700::1111]"),
    ],
)
def test_what_is_asked_for(url: str, target: tuple[str, str, int, str], authority: str) -> None:
    found = read_target(url, Rules())
    assert found == Target(*target)
    assert found.authority == authority


def test_only_hosts_of_the_list_are_asked() -> None:
    rules = Rules(hosts=("images.example", "*.Museum.example"), ports=(443,))
    for host in ("images.example", "IMAGES.example.", "a.museum.example", "a.b.museum.example"):
        assert read_target(f"https://{host}/", rules).port == 443
    for host in ("museum.example", "evilmuseum.example", "images.example.evil.example", "ximages.example", "8.8.8.8"):
        with pytest.raises(UrlRefused, match="is not one that this service fetches from"):
            read_target(f"https://{host}/", rules)
