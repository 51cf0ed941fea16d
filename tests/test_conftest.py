"""The tests' own ground: it must refuse the network, or every promise about privacy is untested."""

import socket
import threading

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443)])
def test_a_connection_to_another_machine_is_refused(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(ConnectionRefusedError, match="stay on this machine"):
        connection.connect(address)


def test_another_machines_name_is_not_looked_up():
    with pytest.raises(ConnectionRefusedError, match="stay on this machine"):
        socket.create_connection(("host.invalid", 443))


def test_a_connection_on_loopback_is_made():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        assert connection.getpeername() == server.getsockname()


@pytest.mark.browser
def test_the_browser_reaches_this_machine_and_no_other(page):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        answer = threading.Thread(target=_answer_once, args=(server,))
        answer.start()
        page.goto(f"http://127.0.0.1:{server.getsockname()[1]}/")
        answer.join()

    assert page.title() == "here"
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://elsewhere.example/")


def _answer_once(server):
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        body = b"<title>here</title>"
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
