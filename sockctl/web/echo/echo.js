const [form, message, state, log] = ["form", "message", "state", "log"].map((id) => document.getElementById(id));
const KEPT = 200;
const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`);

socket.onopen = () => {
  state.textContent = "Connected.";
  form.querySelector("button").disabled = false;
};
socket.onclose = (event) => {
  state.textContent = `Closed with code ${event.code}${event.reason ? ` (${event.reason})` : ""}. Reload to come back.`;
  form.querySelector("button").disabled = true;
};
socket.onmessage = (event) => {
  const line = document.createElement("li");
  line.textContent = event.data;
  log.append(line);
  if (log.children.length > KEPT) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
};
form.onsubmit = (event) => {
  event.preventDefault();
  if (socket.readyState === WebSocket.OPEN) socket.send(message.value);
  message.select();
};
