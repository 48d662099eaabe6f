// The signaling server that WebRTC tutorials write: rooms of socket.io, and everything passed on to the rest of the room.
// Prints its port; ends with its standard input.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
// WebSocket alone, without compression: the fastest that it offers.
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });

io.on('connection', (socket) => {
  socket.on('join', (room, joined) => {
    socket.join(room);
    socket.to(room).emit('peer-joined', socket.id);
    joined();
  });
  for (const kind of ['offer', 'answer', 'ice-candidate']) {
    socket.on(kind, (message) => socket.to(message.roomId).emit(kind, message));
  }
  socket.on('leave', (room) => {
    socket.leave(room);
    socket.to(room).emit('peer-left', socket.id);
  });
});

http.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => console.log(http.address().port));
process.stdin.resume().on('end', () => process.exit(0));
