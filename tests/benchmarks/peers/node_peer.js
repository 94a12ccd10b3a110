// Servers on Node: node node_peer.js PORT echo|chat|socketio, with ws and socket.io in NODE_PATH.
const [port, service] = [Number(process.argv[2]), process.argv[3]];

if (service === "socketio") {
  const { Server } = require("socket.io");
  const io = new Server(port, { transports: ["websocket"], perMessageDeflate: false, pingInterval: 600_000 });
  io.on("connection", (socket) => socket.on("say", (text) => io.emit("say", text)));
} else {
  const { WebSocket, WebSocketServer } = require("ws");
  const server = new WebSocketServer({ port, host: "127.0.0.1", perMessageDeflate: false, backlog: 4096 });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => {
      if (service === "echo") socket.send(data, { binary });
      else for (const other of server.clients) if (other.readyState === WebSocket.OPEN) other.send(data, { binary });
    });
  });
}
