// A room of Socket.IO on several nodes: `node server.js PORT REDIS_URL`. Its adapter is the one of Redis Streams.
const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-streams-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const ROOM = "room";

async function main(port, url) {
  const client = createClient({ url });
  await client.connect();
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(client), transports: ["websocket"] });
  io.on("connection", (socket) => {
    socket.join(ROOM);
    socket.on("say", (text) => io.to(ROOM).emit("say", text));
    socket.emit("joined");
  });
  http.listen(port, "127.0.0.1", 1024);
}

main(Number(process.argv[2]), process.argv[3]);
