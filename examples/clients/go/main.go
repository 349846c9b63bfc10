// A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break.
//
//	go run . ws://127.0.0.1:5080/tim,ws://… NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const (
	ack, ping, register, login, offline, loggedOut, request, message = 12, 13, 14, 16, 17, 20, 41, 90
	addFriend, friends, exists, friendsAlready                       = 4, 5, 4101, 4117
)

type object = map[string]any

// value has those fields of all the protocol's structs that are looked at here.
type value struct {
	Ok                              bool
	TimType, MsType, OdType, BnType int
	Id, Mid                         int64
	N, DataString                   string
	FromTid                         struct{ Node string }
	MessageList                     []value
	Error                           struct {
		Code int
		Info string
	}
}

type client struct {
	servers           []string
	friend, me        string
	messages, current int
	attempt           int
	firstId           int64            // another one in each run
	seen              map[string]int64 // the last number taken from each sender
	socket            *websocket.Conn
}

// frame is the command, with bit 7 for JSON, and the value.
func frame(command byte, content any) []byte {
	if content == nil {
		return []byte{command | 0x80}
	}
	data, _ := json.Marshal(content)
	return append([]byte{command | 0x80}, data...)
}

func (c *client) send(command byte, content any) {
	_ = c.socket.Write(context.Background(), websocket.MessageBinary, frame(command, content))
}

// sendMessage sends under the same id again after a break: it is stored once.
func (c *client) sendMessage(number int) {
	if c.current = number; number > c.messages {
		fmt.Printf("done: %d stored\n", c.messages)
		os.Exit(0)
	}
	fmt.Println("sent", number)
	c.send(message, object{"msType": 2, "odType": 1, "id": c.firstId + int64(number),
		"toTid": object{"node": c.friend}, "dataString": fmt.Sprintf("message %d", number)})
}

func (c *client) befriend(node string) {
	c.send(request, object{"rtype": addFriend, "node": node, "reqStr": "hello"})
}

func (c *client) onMessage(v value) {
	from := v.FromTid.Node
	switch {
	case v.BnType == addFriend:
		c.befriend(from)
	case v.BnType == friends && from == c.friend && c.current == 0:
		c.sendMessage(1)
	case v.OdType == 1 && from == c.me && v.Id == c.firstId+int64(c.current): // our own, numbered: it is durable
		fmt.Println("stored", c.current, "as", v.Mid)
		c.sendMessage(c.current + 1)
	case v.OdType == 1 && from != c.me && v.Mid > c.seen[from]: // one that comes again has the same number
		c.seen[from] = v.Mid
		fmt.Printf("received %d from %s: %s\n", v.Mid, from, v.DataString)
	}
}

func (c *client) onAck(v value) {
	switch {
	case v.TimType == loggedOut:
		log.Fatal("another device has logged in")
	case v.TimType == login && !v.Ok && c.me == "":
		log.Fatal("login refused: ", v.Error.Code, " ", v.Error.Info)
	case v.TimType == login && !v.Ok:
		c.socket.CloseNow()
	case v.TimType == login:
		c.me, c.attempt = v.N, 0
		fmt.Println("online as", c.me)
		c.send(offline, nil) // what came meanwhile
		if c.friend != "" && c.current > 0 {
			c.sendMessage(c.current)
		} else if c.friend != "" {
			c.befriend(c.friend)
		}
	case v.Error.Code == friendsAlready && c.current == 0:
		c.sendMessage(1)
	}
}

func (c *client) onFrame(data []byte) {
	start := 1
	if data[0]&0x80 != 0 {
		start = 5
	}
	var v value
	_ = json.Unmarshal(data[start:], &v)
	switch data[0] & 0x7f {
	case ack:
		c.onAck(v)
	case message:
		c.onMessage(v)
	case offline:
		for _, one := range v.MessageList {
			c.onMessage(one)
		}
	}
	if start == 5 { // taken: it is not sent again
		confirmation := append([]byte{ack | 0x80}, data[1:5]...)
		_ = c.socket.Write(context.Background(), websocket.MessageBinary, confirmation)
	}
}

func (c *client) session(server, name, password string) error {
	opening, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	socket, _, err := websocket.Dial(opening, server, nil)
	if err != nil {
		return err
	}
	defer socket.CloseNow()
	socket.SetReadLimit(8 << 20)
	c.socket = socket
	c.send(login, object{"name": name, "pwd": password, "termtyp": 2})
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(15 * time.Second):
				c.send(ping, nil)
			}
		}
	}()
	for { // three pings without an answer: the connection is dead
		reading, cancel := context.WithTimeout(context.Background(), 45*time.Second)
		_, data, err := socket.Read(reading)
		cancel()
		if err != nil {
			return err
		}
		c.onFrame(data)
	}
}

func main() {
	arguments := append(os.Args[1:], "", "10")
	c := &client{servers: strings.Split(arguments[0], ","), seen: map[string]int64{}, firstId: time.Now().UnixMilli() * 1000}
	name, password := arguments[1], arguments[2]
	c.friend = arguments[3]
	c.messages, _ = strconv.Atoi(cmp.Or(arguments[4], "10"))
	url := strings.TrimSuffix(strings.Replace(c.servers[0], "ws", "http", 1), "/tim") + "/tim2"
	answer, err := http.Post(url, "", bytes.NewReader(frame(register, object{"name": name, "pwd": password})))
	if err != nil {
		log.Fatal(err)
	}
	data, _ := io.ReadAll(answer.Body)
	var registered value
	if _ = json.Unmarshal(data[1:], &registered); !registered.Ok && registered.Error.Code != exists {
		log.Fatal("not registered: ", registered.Error.Info)
	}
	for ; ; c.attempt++ {
		_ = c.session(c.servers[c.attempt%len(c.servers)], name, password)
		time.Sleep(time.Duration(rand.Float64() * float64(min(100<<min(c.attempt, 10), 5000)) * float64(time.Millisecond)))
	}
}
