<?php
header('Content-Type: application/json');
echo json_encode(['greeting' => 'hello', 'worker' => getmypid(), 'key' => $_SERVER['HTTP_X_KEY'] ?? null]);
