// A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break.
//
//	go run . ws://127.0.0.1:5080/tim,ws://… NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]
package main

import (
	"cmp"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"timcluster.io/examples/client/tim"
)

func main() {
	arguments := append(os.Args[1:], "", "10")
	friend, firstId, current := arguments[3], time.Now().UnixMilli()*1000, 1 // another first id in each run
	messages, _ := strconv.Atoi(cmp.Or(arguments[4], "10"))
	seen := map[string]int64{} // the last number taken from each sender
	client := &tim.Client{Servers: strings.Split(arguments[0], ","), Name: arguments[1], Password: arguments[2]}
	befriend := func(node string) {
		client.Send(tim.Request, tim.Object{"rtype": tim.AddFriend, "node": node, "reqStr": "hello"})
	}
	sendMessage := func() { // under the same id again after a break: it is stored once
		fmt.Println("sent", current)
		client.Send(tim.Send, tim.Object{"msType": 2, "odType": 1, "id": firstId + int64(current),
			"toTid": tim.Object{"node": friend}, "dataString": fmt.Sprintf("message %d", current)})
	}
	if err := client.Register(); err != nil {
		log.Fatal(err)
	}
	log.Fatal(client.Run(func(message tim.Message) {
		from := message.FromTid.Node
		switch {
		case message.TimType == tim.Login:
			fmt.Println("online as", client.Address)
			if friend != "" {
				befriend(friend)
			}
		case message.BnType == tim.AddFriend:
			befriend(from)
		case friend != "" && (message.BnType == tim.Friends || message.Error.Code == tim.FriendsAlready):
			sendMessage()
		case message.OdType == 1 && message.Id == firstId+int64(current): // our own, numbered: it is durable
			fmt.Println("stored", current, "as", message.Mid)
			if current++; current > messages {
				fmt.Printf("done: %d stored\n", messages)
				os.Exit(0)
			}
			sendMessage()
		case message.OdType == 1 && from != client.Address && message.Mid > seen[from]:
			seen[from] = message.Mid // one that comes again after a break has the same number
			fmt.Printf("received %d from %s: %s\n", message.Mid, from, message.DataString)
		}
	}))
}
