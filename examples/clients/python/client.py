# A chat client that comes back after a break (pip install websockets). URL,URL NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]
import asyncio, contextlib, json, random, sys, time, types, urllib.request
from websockets import WebSocketException, connect
ACK, PING, REGISTER, LOGIN, OFFLINE, REQUEST, MESSAGE = 12, 13, 14, 16, 17, 41, 90
urls, name, pwd, friend, messages = (sys.argv[1:] + ["", ""])[:5]
servers, first_id, seen = urls.split(","), int(time.time() * 1000) * 1000, {}  # ids of their own in each run
my = types.SimpleNamespace(address=None, socket=None, attempt=0, current=1)
def frame(command, value=None):  # the command, with bit 7 for JSON, and the value
    return bytes([command | 0x80]) + (json.dumps(value).encode() if value else b"")
async def befriend(node):
    await my.socket.send(frame(REQUEST, {"rtype": 4, "node": node, "reqStr": "hello"}))
async def send_message():  # under the same id again after a break: it is stored once
    print("sent", my.current, flush=True)
    await my.socket.send(frame(MESSAGE, {"msType": 2, "odType": 1, "id": first_id + my.current, "toTid": {"node": friend},
                                         "dataString": f"message {my.current}"}))
async def take(value):
    match value:
        case {"timType": 16, "ok": True}:  # logged in
            my.address, my.attempt = value["n"], 0
            print("online as", my.address, flush=True)
            await my.socket.send(frame(OFFLINE))  # what came meanwhile
            if friend:
                await befriend(friend)
        case {"timType": kind} if kind == 20 or (kind == 16 and not my.address):  # another device is here, or refused
            sys.exit(f"logged out: {value.get('error')}")
        case {"bnType": 4, "fromTid": {"node": sender}}:  # somebody asks to be friends
            await befriend(sender)
        case {"bnType": 5} | {"error": {"code": 4117}} if friend:  # friends from now on, or long since
            await send_message()
        case {"odType": 1, "id": i, "mid": mid} if i == first_id + my.current:  # our own, numbered: it is durable
            print("stored", my.current, "as", mid, flush=True)
            my.current += 1
            if my.current > int(messages or 10):
                sys.exit(print(f"done: {my.current - 1} stored"))
            await send_message()
        case {"odType": 1, "mid": mid, "fromTid": {"node": sender}} if mid > seen.get(sender, 0) and sender != my.address:
            seen[sender] = mid  # one that comes again after a break has the same number
            print(f"received {mid} from {sender}: {value['dataString']}", flush=True)
async def keep_alive(socket):
    while True:
        await asyncio.sleep(15)
        await socket.send(frame(PING))
async def session(socket):
    await socket.send(frame(LOGIN, {"name": name, "pwd": pwd, "termtyp": 2}))
    async for data in socket:
        start = 5 if data[0] & 0x80 else 1
        value = json.loads(data[start:] or b"{}")
        for each in value.get("messageList", [value]):
            await take(each)
        if start == 5:  # taken: it is not sent again
            await socket.send(bytes([ACK | 0x80]) + data[1:5])
async def run():
    while True:
        with contextlib.suppress(OSError, asyncio.TimeoutError, WebSocketException):
            async with connect(servers[my.attempt % len(servers)], open_timeout=5) as my.socket:
                await asyncio.gather(session(my.socket), keep_alive(my.socket))
        await asyncio.sleep(random.random() * min(0.1 * 2**my.attempt, 5))
        my.attempt += 1
urllib.request.urlopen(servers[0].replace("ws", "http", 1) + "2", frame(REGISTER, {"name": name, "pwd": pwd}))  # or exists
asyncio.run(run())
