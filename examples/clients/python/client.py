# A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break. Needs `websockets`.
#   python3 client.py ws://127.0.0.1:5080/tim,ws://... NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]
import asyncio, json, random, sys, time, urllib.request
from websockets import WebSocketException, connect
ACK, PING, REGISTER, LOGIN, OFFLINE, LOGGED_OUT, REQUEST, MESSAGE = 12, 13, 14, 16, 17, 20, 41, 90
ADD_FRIEND, FRIENDS, EXISTS, FRIENDS_ALREADY = 4, 5, 4101, 4117
urls, name, pwd, friend, messages = (sys.argv[1:] + ["", "10"])[:5]
servers, first_id, seen = urls.split(","), int(time.time() * 1000) * 1000, {}  # ids of their own in each run
me, socket, attempt, current = None, None, 0, 0

def frame(command, value=None):  # the command, with bit 7 for JSON, and the value
    return bytes([command | 0x80]) + (json.dumps(value).encode() if value else b"")
async def send(command, value=None):
    await socket.send(frame(command, value))
def say(*words):
    print(*words, flush=True)
async def send_message(number):  # under the same id again after a break: it is stored once
    global current
    if number > int(messages):
        sys.exit(say(f"done: {messages} stored"))
    current = number
    say("sent", number)
    await send(MESSAGE, {"msType": 2, "odType": 1, "id": first_id + number, "toTid": {"node": friend}, "dataString": f"message {number}"})
async def on_message(value):
    sender, notice = value.get("fromTid", {}).get("node"), value.get("bnType")
    if notice == ADD_FRIEND:
        await send(REQUEST, {"rtype": ADD_FRIEND, "node": sender, "reqStr": "hello"})
    if notice == FRIENDS and sender == friend and not current:
        await send_message(1)
    if value["odType"] == 1 and sender != me and value["mid"] > seen.get(sender, 0):  # again after a break: the same number
        seen[sender] = value["mid"]
        say(f"received {value['mid']} from {sender}: {value['dataString']}")
    if value["odType"] == 1 and sender == me and value["id"] == first_id + current:  # our own, numbered: it is durable
        say("stored", current, "as", value["mid"])
        await send_message(current + 1)
async def on_ack(value):
    global me, attempt
    kind, error = value["timType"], value.get("error", {})
    if kind == LOGGED_OUT or (kind == LOGIN and not value["ok"] and not me):
        sys.exit(f"logged out: {error.get('info', 'another device has logged in')}")
    if kind == LOGIN and value["ok"]:
        me, attempt = value["n"], 0
        say("online as", me)
        await send(OFFLINE)  # what came meanwhile
    if friend and kind == LOGIN and value["ok"] and current:
        await send_message(current)
    elif friend and kind == LOGIN and value["ok"]:
        await send(REQUEST, {"rtype": ADD_FRIEND, "node": friend, "reqStr": "hello"})
    elif error.get("code") == FRIENDS_ALREADY and not current:
        await send_message(1)
async def on_frame(data):
    start = 5 if data[0] & 0x80 else 1
    command, value = data[0] & 0x7F, json.loads(data[start:] or b"{}")
    for message in value.get("messageList", [value]) if command in (MESSAGE, OFFLINE) else []:
        await on_message(message)
    if command == ACK:
        await on_ack(value)
    if start == 5:
        await socket.send(bytes([ACK | 0x80]) + data[1:5])  # taken: it is not sent again
async def session():
    pinged, missed = time.time(), 0
    await send(LOGIN, {"name": name, "pwd": pwd, "termtyp": 2})
    while missed < 3:  # three pings without an answer: the connection is dead
        try:
            await on_frame(await asyncio.wait_for(socket.recv(), 1))
            missed = 0
        except asyncio.TimeoutError:
            pass
        if time.time() - pinged > 15:
            await send(PING)
            pinged, missed = time.time(), missed + 1

url = servers[0].replace("ws", "http", 1).removesuffix("/tim") + "/tim2"
registered = json.loads(urllib.request.urlopen(url, frame(REGISTER, {"name": name, "pwd": pwd})).read()[1:])
if not registered["ok"] and registered["error"]["code"] != EXISTS:
    sys.exit(f"not registered: {registered['error']['info']}")
async def run():
    global attempt, socket
    while True:
        try:
            async with connect(servers[attempt % len(servers)], open_timeout=5, ping_interval=None) as socket:
                await session()
        except (OSError, asyncio.TimeoutError, WebSocketException):
            pass
        await asyncio.sleep(random.random() * min(0.1 * 2**attempt, 5))
        attempt += 1
asyncio.run(run())
